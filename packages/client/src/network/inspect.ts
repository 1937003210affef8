import type { Network } from '@ctr/api'
import { type Client, path } from '../client.ts'

export function inspectNetwork(
  client: Client,
  ref: string,
  options: { readonly verbose?: boolean; readonly scope?: string | undefined } = {},
): Promise<Network> {
  return client.json({ method: 'GET', path: path`/networks/${ref}`, query: { ...options } })
}
