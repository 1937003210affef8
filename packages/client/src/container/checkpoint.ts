import type { CheckpointCreate, CheckpointSummary } from '@ctr/api'
import { type Client, path } from '../client.ts'

/** Without `Exit` the container goes on. */
export async function createCheckpoint(
  client: Client,
  ref: string,
  body: CheckpointCreate,
): Promise<void> {
  await client.run({ method: 'POST', path: path`/containers/${ref}/checkpoints`, json: body })
}

export async function listCheckpoints(
  client: Client,
  ref: string,
  directory: string | undefined,
): Promise<CheckpointSummary[]> {
  return await client.json({
    method: 'GET',
    path: path`/containers/${ref}/checkpoints`,
    query: { dir: directory },
  })
}

export async function removeCheckpoint(
  client: Client,
  ref: string,
  name: string,
  directory: string | undefined,
): Promise<void> {
  await client.run({
    method: 'DELETE',
    path: path`/containers/${ref}/checkpoints/${name}`,
    query: { dir: directory },
  })
}
