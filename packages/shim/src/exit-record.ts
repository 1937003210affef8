import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'

/** How a process ended. */
export interface ExitRecord {
  /** 0–255; 128 + signal for a process that a signal killed. */
  readonly exitCode: number
  /** The signal that killed it, or 0. */
  readonly signal: number
  readonly oomKilled: boolean
  readonly finishedAtNs: bigint
}

const CORE_DUMPED = 0x80

/** From a status of waitpid(2). */
export function exitRecord(status: number, oomKilled: boolean, finishedAtNs: bigint): ExitRecord {
  const signal = status & 0xff & ~CORE_DUMPED
  const exitCode = signal === 0 ? (status >> 8) & 0xff : 128 + signal
  return { exitCode, signal, oomKilled, finishedAtNs }
}

/** More than any record has. */
const RECORD_BYTES_MAX = 1024

/** The record that a shim has left in its runtime directory; undefined if there is none (yet), or if it is none. */
export async function readExitRecord(runtimeDir: string): Promise<ExitRecord | undefined> {
  try {
    // Neither waits for a writer of a FIFO.
    const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants
    await using file = await open(join(runtimeDir, 'exit'), O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
    const { bytesRead, buffer } = await file.read(Buffer.alloc(RECORD_BYTES_MAX), 0)
    return parseRecord(buffer.toString('utf8', 0, bytesRead))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'ENXIO', 'EAGAIN')) return undefined
    throw error
  }
}

function parseRecord(text: string): ExitRecord | undefined {
  const match = /^\{"status":(\d{1,9}),"oom":(true|false),"finishedNs":"(\d{1,19})"\}\s*$/.exec(
    text,
  )
  if (match === null) return undefined
  const [, status, oom, finishedNs] = match as unknown as [string, string, string, string]
  return exitRecord(Number(status), oom === 'true', BigInt(finishedNs))
}
