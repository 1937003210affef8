/** Time comes from here, so that tests of restart policies and deadlines need not wait. */
export interface Clock {
  /** Wall clock. */
  nowNs(): bigint
  /** Since the host has booted: nobody sets it, and two engines of one boot agree. clock_gettime(2), CLOCK_MONOTONIC */
  monotonicNs(): bigint
  /** Calls `listener` once after `delayMs`; dispose to cancel. Does not keep the process alive. */
  after(delayMs: number, listener: () => void): Disposable
}

/** Node's timers take 31 bits, some 24 days; a longer delay is several of them. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  nowNs,
  monotonicNs: () => process.hrtime.bigint(),
  after(delayMs, listener) {
    let timer: NodeJS.Timeout | undefined
    const wait = (leftMs: number): void => {
      const nowMs = Math.min(Math.max(0, leftMs), MAX_TIMEOUT_MS)
      timer = setTimeout(() => (nowMs < leftMs ? wait(leftMs - nowMs) : listener()), nowMs)
      timer.unref()
    }
    wait(delayMs)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

// Date.now() has milliseconds; the monotonic clock gives the digits below, re-based when the wall clock was set.
let baseWallMs = Date.now()
let baseMonotonicMs = performance.now()

function nowNs(): bigint {
  const elapsedMs = performance.now() - baseMonotonicMs
  const wallMs = Date.now()
  if (Math.abs(wallMs - (baseWallMs + elapsedMs)) > 2) {
    baseWallMs = wallMs
    baseMonotonicMs = performance.now()
    return BigInt(wallMs) * 1_000_000n
  }
  return BigInt(baseWallMs) * 1_000_000n + BigInt(Math.trunc(elapsedMs * 1e6))
}
