import { type Client, path } from '../client.ts'

export async function restartContainer(
  client: Client,
  ref: string,
  options: {
    readonly timeoutSeconds?: number | undefined
    readonly signal?: string | undefined
  } = {},
): Promise<void> {
  await client.run({
    method: 'POST',
    path: path`/containers/${ref}/restart`,
    query: { t: options.timeoutSeconds, signal: options.signal },
  })
}
