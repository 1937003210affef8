import { readFile } from 'node:fs/promises'
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

/** The record that a shim has left in its runtime directory; undefined if there is none (yet). */
export async function readExitRecord(runtimeDir: string): Promise<ExitRecord | undefined> {
  let text: string
  try {
    text = await readFile(join(runtimeDir, 'exit'), 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
  const record = JSON.parse(text) as { status: number; oom: boolean; finishedNs: string }
  return exitRecord(record.status, record.oom, BigInt(record.finishedNs))
}
