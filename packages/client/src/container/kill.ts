import { type Client, path } from '../client.ts'

/** CONFLICT: it does not run. */
export async function killContainer(
  client: Client,
  ref: string,
  options: { readonly signal?: string | undefined } = {},
): Promise<void> {
  await client.run({
    method: 'POST',
    path: path`/containers/${ref}/kill`,
    query: { signal: options.signal },
  })
}
