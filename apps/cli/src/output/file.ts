import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileError } from '@ctr/options'
import { ExitError } from '../command.ts'
import { writeOut } from './write.ts'

/** Writes a stream to stdout, or to a file that appears only when it is complete. */
export async function writeStream(source: AsyncIterable<Uint8Array>, path: string): Promise<void> {
  if (path === '') {
    for await (const chunk of source) writeOut(chunk)
    return
  }
  const temporary = join(dirname(path), `.ctr-${randomUUID()}`)
  let fd: number
  try {
    fd = openSync(temporary, 'wx', 0o600)
  } catch (error) {
    throw fileError('open', path, error)
  }
  try {
    for await (const chunk of source) writeFully(fd, chunk)
    fsyncSync(fd)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}

/** Docker's checks before it asks the daemon (docker/cli command.ValidateOutputPath). */
export function checkOutputPath(path: string, verb: string): void {
  if (path === '') return
  const fail = (reason: string): ExitError =>
    new ExitError(1, `failed to ${verb}: invalid output path: ${reason}`)
  if (statSync(dirname(path), { throwIfNoEntry: false }) === undefined) {
    throw fail(`stat ${dirname(path)}: no such file or directory`)
  }
  if (isDirectory(path)) throw new ExitError(1, `failed to ${verb}: cannot write to a directory`)
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function writeFully(fd: number, chunk: Uint8Array): void {
  for (let rest = chunk; rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest))
}
