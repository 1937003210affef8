import { type Client, path } from '../client.ts'

/** CONFLICT: it does not run. */
export async function resizeContainer(
  client: Client,
  ref: string,
  size: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const query = { h: size.rows, w: size.columns }
  await client.run({ method: 'POST', path: path`/containers/${ref}/resize`, query })
}
