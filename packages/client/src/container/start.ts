import { type Client, path } from '../client.ts'

/** Succeeds when it runs already. */
export async function startContainer(
  client: Client,
  ref: string,
  options: {
    readonly detachKeys?: string | undefined
    readonly checkpoint?: string | undefined
    readonly checkpointDir?: string | undefined
  } = {},
): Promise<void> {
  const { checkpointDir, ...query } = options
  await client.run({
    method: 'POST',
    path: path`/containers/${ref}/start`,
    query: { ...query, 'checkpoint-dir': checkpointDir },
  })
}
