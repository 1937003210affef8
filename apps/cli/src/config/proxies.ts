import type { ConfigValues } from './config-file.ts'

/** Names in config.json, and the variable of each (docker/cli config ParseProxyConfig). */
const VARIABLES: Readonly<Record<string, string>> = {
  httpProxy: 'HTTP_PROXY',
  httpsProxy: 'HTTPS_PROXY',
  noProxy: 'NO_PROXY',
  ftpProxy: 'FTP_PROXY',
  allProxy: 'ALL_PROXY',
}

/** The proxies that config.json wants in containers of this daemon, in both spellings; what `-e` names stays as it is. */
export function proxyEnvironment(
  { proxies = {} }: ConfigValues,
  daemonAddress: string,
  given: readonly string[],
): string[] {
  const wanted = proxies[daemonAddress] ?? proxies['default'] ?? {}
  const named = new Set(given.map((variable) => variable.split('=', 1)[0]))
  return Object.entries(VARIABLES).flatMap(([key, name]) => {
    const value = wanted[key]
    if (value === undefined || value === '') return []
    return [name, name.toLowerCase()]
      .filter((each) => !named.has(each))
      .map((each) => `${each}=${value}`)
  })
}
