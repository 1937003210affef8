/** Of stop and restart. `t` in seconds, negative: no SIGKILL. `signal` since v1.42. */
export function stopOptions(
  query: { readonly signal: string | undefined; readonly t: number | undefined },
  apiMinor: number,
): { timeoutSeconds?: number; signal?: string } {
  return {
    ...(query.t === undefined ? {} : { timeoutSeconds: query.t }),
    ...(query.signal === undefined || apiMinor < 42 ? {} : { signal: query.signal }),
  }
}
