import { readFileSync } from 'node:fs'

/** Figures of one thing measured: milliseconds unless `unit` says otherwise. */
export interface Row {
  readonly suite: string
  readonly what: string
  readonly engine: string
  readonly unit: string
  readonly runs: number
  readonly median: number
  readonly min: number
  readonly max: number
}

/** What a contender has measured itself. */
export interface Measured {
  readonly ms: number
  /** Of engine and container, without the client. */
  readonly cpuMs: number
}

export interface Contender {
  readonly engine: string
  /** Before and after the time that counts. */
  readonly prepare?: () => Promise<void>
  /** Is timed where it gives nothing. */
  readonly run: (index: number) => Promise<Measured | number | void>
  /** Takes part in so many rounds only: what is slow needs fewer to be told apart. */
  readonly rounds?: number
  readonly after?: () => Promise<void>
}

export function summarize(
  suite: string,
  what: string,
  engine: string,
  values: readonly number[],
  unit = 'ms',
): Row {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  return { suite, what, engine, unit, runs: sorted.length, median: at(0.5), min: at(0), max: at(1) }
}

/**
 * Times every contender in turn, A B C A B C …, so that a machine that gets slower gets slower for all. One round is not counted.
 * `pauseMs` lets work that an engine leaves for later (teardown) finish outside the time of the next contender. Rows of CPU time
 * follow for those that tell theirs.
 */
export async function interleave(
  suite: string,
  what: string,
  contenders: readonly Contender[],
  runs: number,
  pauseMs = 60,
): Promise<Row[]> {
  const measured = new Map<string, Measured[]>(contenders.map((c) => [c.engine, []]))
  for (let round = -1; round < runs; round++) {
    for (const contender of contenders) {
      if (round >= (contender.rounds ?? runs)) continue
      await contender.prepare?.()
      const begin = process.hrtime.bigint()
      const own = await contender.run(round)
      const ms = Number(process.hrtime.bigint() - begin) / 1e6
      if (round >= 0) measured.get(contender.engine)?.push(asMeasured(own ?? ms))
      await contender.after?.()
      await pause(pauseMs)
    }
  }
  const rows = (title: string, field: keyof Measured, unit: string): Row[] =>
    [...measured].map(([engine, found]) =>
      summarize(suite, title, engine, found.map((one) => one[field]).filter(Number.isFinite), unit),
    )
  const cpu = rows(`${what}: CPU of engine and container`, 'cpuMs', 'CPU ms')
  return [...rows(what, 'ms', 'ms'), ...cpu.filter((row) => row.runs > 0)]
}

function asMeasured(found: Measured | number): Measured {
  return typeof found === 'number' ? { ms: found, cpuMs: Number.NaN } : found
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

/** Proportional set size and private bytes of a process. /proc/PID/smaps_rollup, proc(5) */
export function memoryOf(pid: number): { pssBytes: number; privateBytes: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024
  return { pssBytes: field('Pss'), privateBytes: field('Private_Clean') + field('Private_Dirty') }
}

/** CPU milliseconds (user + system) of one process so far. */
export function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
