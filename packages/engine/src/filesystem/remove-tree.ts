import {
  closeSync,
  constants,
  lstatSync,
  opendirSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { below } from './path.ts'

const MAX_DEPTH = 1024
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Removes `name` below an open directory, with all that is in it. The container may exchange directories for symlinks
 * meanwhile: each name is removed below the directory that was opened, so nothing outside is touched. `beat` is called
 * for each name.
 */
export function removeTree(directory: number, name: string, beat: () => void, depth = 0): void {
  beat()
  if (depth > MAX_DEPTH) throw new EngineError('INVALID_ARGUMENT', 'directories are too deep')
  const path = below(directory, name)
  try {
    if (!lstatSync(path).isDirectory()) {
      unlinkSync(path)
      return
    }
    const fd = openSync(path, DIRECTORY_FLAGS)
    try {
      // Again from the start while there is something: names that come and go may be missed by one reading.
      for (let names = firstNames(fd); names.length > 0; names = firstNames(fd)) {
        for (const child of names) removeTree(fd, child, beat, depth + 1)
      }
    } finally {
      closeSync(fd)
    }
    rmdirSync(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

const NAMES = 4096

function firstNames(fd: number): string[] {
  // The bytes of a name are its latin1 characters; @types/node knows text encodings only.
  const directory = opendirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' as BufferEncoding })
  try {
    const names: string[] = []
    while (names.length < NAMES) {
      const entry = directory.readSync()
      if (entry === null) break
      names.push(entry.name)
    }
    return names
  } finally {
    directory.closeSync()
  }
}
