import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs'
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

/** Docker's checks before it asks the daemon (moby/sys/atomicwriter): what is at `path` would be replaced, a device file, too. */
export function checkOutputPath(path: string, verb: string): void {
  if (path === '') return
  const fail = (reason: string): ExitError =>
    new ExitError(1, `failed to ${verb}: invalid output path: ${reason}`)
  if (statSync(dirname(path), { throwIfNoEntry: false }) === undefined) {
    throw fail(`stat ${dirname(path)}: no such file or directory`)
  }
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined || stat.isFile()) return
  throw new ExitError(1, `failed to ${verb}: cannot write to ${kindOf(stat)}`)
}

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'a directory'
  if (stat.isSymbolicLink()) return 'a symbolic link directly'
  if (stat.isFIFO()) return 'a named pipe (FIFO)'
  if (stat.isSocket()) return 'a socket'
  return stat.isBlockDevice() ? 'a block device file' : 'a character device file'
}

/** Docker's checks of a place to copy to (docker/cli command.ValidateOutputPath). `path` is absolute. */
export function checkCopyTarget(path: string): void {
  const fail = (reason: string): ExitError => new ExitError(1, `invalid output path: ${reason}`)
  const directory = dirname(path)
  if (statSync(directory, { throwIfNoEntry: false }) === undefined) {
    throw fail(`directory ${JSON.stringify(directory)} does not exist`)
  }
  const stat = statOrFail(path)
  if (stat?.isCharacterDevice() === true || stat?.isBlockDevice() === true) {
    throw fail(`${JSON.stringify(path)} must be a directory or a regular file: got a device`)
  }
}

function statOrFail(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw fileError('stat', path, error)
  }
}

function writeFully(fd: number, chunk: Uint8Array): void {
  for (let rest = chunk; rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest))
}
