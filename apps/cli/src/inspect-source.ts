import { type Client, path } from '@ctr/client'

export type InspectedType = keyof typeof TARGETS

/** The document as the daemon wrote it: printed without a detour through JavaScript's numbers. */
export async function inspectSource(
  client: Client,
  type: InspectedType,
  ref: string,
  size = false,
): Promise<string> {
  const target = TARGETS[type](ref)
  const response = await client.request({ method: 'GET', path: target, query: { size } })
  return (await response.body.bytes()).toString()
}

const TARGETS = {
  config: (ref: string) => path`/configs/${ref}`,
  container: (ref: string) => path`/containers/${ref.replace(/^\//, '')}/json`,
  image: (ref: string) => `/images/${ref.split('/').map(encodeURIComponent).join('/')}/json`,
  network: (ref: string) => path`/networks/${ref}`,
  node: (ref: string) => path`/nodes/${ref}`,
  plugin: (ref: string) => path`/plugins/${ref}/json`,
  secret: (ref: string) => path`/secrets/${ref}`,
  service: (ref: string) => path`/services/${ref}`,
  task: (ref: string) => path`/tasks/${ref}`,
  volume: (ref: string) => path`/volumes/${ref}`,
}
