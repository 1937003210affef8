import { type Client, path } from '../client.ts'

/** CONFLICT: it runs, and `force` is not set. */
export async function removeContainer(
  client: Client,
  ref: string,
  options: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean } = {},
): Promise<void> {
  const query = { force: options.force, v: options.volumes, link: options.link }
  await client.run({ method: 'DELETE', path: path`/containers/${ref}`, query })
}
