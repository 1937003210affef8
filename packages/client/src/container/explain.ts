import type { ContainerCreate } from '@ctr/api'
import type { Client } from '../client.ts'

/** The launch program that a start would run, one operation per line. Nothing is made. */
export async function explainContainer(
  client: Client,
  options: { readonly platform?: string | undefined; readonly body: ContainerCreate },
): Promise<string> {
  const response = await client.request({
    method: 'POST',
    path: '/containers/explain',
    query: { platform: options.platform },
    json: options.body,
  })
  return (await response.body.bytes()).toString()
}
