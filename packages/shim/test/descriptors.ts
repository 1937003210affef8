import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { until } from './until.ts'

/** The soft limit of another process; what it has open stays open. */
export function limitDescriptors(pid: number, count: number): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--nofile=${count}:`])
}

/** Again and again, as one that spins does not. */
export async function untilItSleeps(pid: number): Promise<void> {
  const sleeps = (): number => {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1])
  }
  const before = sleeps()
  await until(() => sleeps() > before + 3)
}
