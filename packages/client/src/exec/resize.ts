import { type Client, path } from '../client.ts'

export async function resizeExec(
  client: Client,
  id: string,
  size: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const query = { h: size.rows, w: size.columns }
  await client.run({ method: 'POST', path: path`/exec/${id}/resize`, query })
}
