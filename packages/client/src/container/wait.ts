import type { WaitResponse } from '@ctr/api'
import { type Client, path } from '../client.ts'

export interface Waiting {
  readonly result: Promise<WaitResponse>
}

/** Resolves when the daemon has registered the wait: what happens from then on is not missed. */
export async function waitContainer(
  client: Client,
  ref: string,
  options: {
    readonly condition?: 'not-running' | 'next-exit' | 'removed' | 'healthy' | 'unhealthy'
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<Waiting> {
  const response = await client.request({
    method: 'POST',
    path: path`/containers/${ref}/wait`,
    query: { condition: options.condition },
    signal: options.signal,
  })
  const result = response.body.bytes().then((bytes) => JSON.parse(bytes.toString()) as WaitResponse)
  result.catch(() => {
    // Reported to whoever awaits it.
  })
  return { result }
}
