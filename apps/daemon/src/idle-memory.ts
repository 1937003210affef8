import { returnFreeMemory } from '@ctr/linux'

const INTERVAL_MS = 5000
/** Of one processor: busier than that, somebody waits for answers. */
const QUIET_SHARE = 0.05
/** A collection takes some 30 ms: little beside what was done since the last one. The start of an engine takes as much. */
const WORTH_MS = 500

/** For tests: the process as it is, otherwise. */
export interface Process {
  /** Processor time of all threads until now. */
  cpuMs(): number
  collect(): Promise<void>
  trim(): void
}

/**
 * V8 and malloc keep what a burst of work needed: 110 MB after some thousand containers, 50 when it is given back. Looks every five
 * seconds, and does so in the first quiet ones after half a second of work. The result is what to call every interval.
 */
export function idleMemory(process: Process): () => Promise<boolean> {
  let lastMs = process.cpuMs()
  let doneMs = 0
  return async () => {
    const nowMs = process.cpuMs()
    const isQuiet = nowMs - lastMs < INTERVAL_MS * QUIET_SHARE
    lastMs = nowMs
    if (!isQuiet || nowMs - doneMs < WORTH_MS) return false
    await process.collect()
    process.trim()
    lastMs = process.cpuMs()
    doneMs = lastMs
    return true
  }
}

/** As long as the process lives. */
export function keepMemorySmall(log: { debug(fields: object, message: string): void }): void {
  const look = idleMemory({
    cpuMs: () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1000
    },
    // Without --expose-gc (bin/ctrd has it) V8 collects when it thinks best.
    collect: async () => globalThis.gc?.({ execution: 'async', type: 'major' }),
    trim: returnFreeMemory,
  })
  setInterval(() => {
    const before = process.memoryUsage.rss()
    look()
      .then((isDone) => {
        if (isDone) log.debug({ before, after: process.memoryUsage.rss() }, 'gave memory back')
      })
      .catch((err: unknown) => log.debug({ err }, 'give memory back'))
  }, INTERVAL_MS).unref()
}
