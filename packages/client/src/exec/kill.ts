import { type Client, path } from '../client.ts'

/** SIGKILL without a signal. CONFLICT: it does not run. */
export async function killExec(
  client: Client,
  id: string,
  query: { readonly signal?: string | undefined } = {},
): Promise<void> {
  await client.run({ method: 'POST', path: path`/exec/${id}/kill`, query })
}
