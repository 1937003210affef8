/** Time comes from here, so that tests of restart policies and deadlines need not wait. */
export interface Clock {
  /** Wall clock. */
  nowNs(): bigint
  /** Calls `listener` once after `delayMs`; dispose to cancel. Does not keep the process alive. */
  after(delayMs: number, listener: () => void): Disposable
}

/** setTimeout(3) of Node takes 31 bits. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  nowNs,
  after(delayMs, listener) {
    const timer = setTimeout(listener, Math.min(Math.max(0, delayMs), MAX_TIMEOUT_MS))
    timer.unref()
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
