import { createReadStream, fstatSync, openSync } from 'node:fs'
import { fileError } from './options/open-file.ts'
import { readStdin } from './terminal/stdin.ts'

/** The bytes of a file, or of standard input for `-`. Throws with Go's text when it cannot be read. */
export function readInput(path: string): AsyncIterable<Uint8Array> {
  if (path === '-') return readStdin()
  try {
    const fd = openSync(path, 'r')
    if (fstatSync(fd).isDirectory()) throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' })
    return createReadStream(path, { fd, highWaterMark: CHUNK_BYTES })
  } catch (error) {
    throw fileError('open', path, error)
  }
}

const CHUNK_BYTES = 256 * 1024
