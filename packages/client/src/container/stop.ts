import { type Client, path } from '../client.ts'

/** Succeeds when it is stopped already. */
export async function stopContainer(
  client: Client,
  ref: string,
  options: {
    readonly timeoutSeconds?: number | undefined
    readonly signal?: string | undefined
  } = {},
): Promise<void> {
  await client.run({
    method: 'POST',
    path: path`/containers/${ref}/stop`,
    query: { t: options.timeoutSeconds, signal: options.signal },
  })
}
