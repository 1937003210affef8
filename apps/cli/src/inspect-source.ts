import { type Client, path } from '@ctr/client'

/** The document as the daemon wrote it: printed without a detour through JavaScript's numbers. */
export async function inspectSource(
  client: Client,
  type: 'container' | 'image' | 'network' | 'secret' | 'volume',
  ref: string,
  size = false,
): Promise<string> {
  const target = TARGETS[type](ref)
  const response = await client.request({ method: 'GET', path: target, query: { size } })
  return (await response.body.bytes()).toString()
}

const TARGETS = {
  container: (ref: string) => path`/containers/${ref.replace(/^\//, '')}/json`,
  image: (ref: string) => `/images/${ref.split('/').map(encodeURIComponent).join('/')}/json`,
  network: (ref: string) => path`/networks/${ref}`,
  secret: (ref: string) => path`/secrets/${ref}`,
  volume: (ref: string) => path`/volumes/${ref}`,
}
