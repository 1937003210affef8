import type { HistoryItem } from '@ctr/api'
import type { Client } from '../client.ts'
import { imagePath } from './path.ts'

/** `platform`: `os/architecture`; NOT_FOUND if the image is of another one. */
export function imageHistory(
  client: Client,
  ref: string,
  options: { readonly platform?: string } = {},
): Promise<HistoryItem[]> {
  const [os = '', architecture = '', variant] = (options.platform ?? '').split('/')
  const query = os === '' ? {} : { platform: JSON.stringify({ os, architecture, variant }) }
  return client.json({ method: 'GET', path: `${imagePath(ref)}/history`, query })
}
