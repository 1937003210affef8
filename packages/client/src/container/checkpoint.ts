import type { CheckpointCreate, CheckpointSummary } from '@ctr/api'
import { type Client, path } from '../client.ts'
import type { BodyStream } from '../http/body-stream.ts'

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

/** A tar that `importCheckpoint` makes the container of again. */
export async function exportCheckpoint(
  client: Client,
  ref: string,
  o: {
    readonly leaveRunning: boolean
    readonly tcpEstablished: boolean
    readonly fileLocks: boolean
    readonly keep: boolean
  },
): Promise<BodyStream> {
  const response = await client.request({
    method: 'POST',
    path: path`/containers/${ref}/checkpoint`,
    query: {
      'leave-running': o.leaveRunning ? '1' : undefined,
      'tcp-established': o.tcpEstablished ? '1' : undefined,
      'file-locks': o.fileLocks ? '1' : undefined,
      keep: o.keep ? '1' : undefined,
    },
  })
  return response.body
}

/** The container runs when this resolves. */
export async function importCheckpoint(
  client: Client,
  archive: AsyncIterable<Uint8Array>,
  o: { readonly name: string | undefined; readonly keep: boolean },
): Promise<{ Id: string; Warnings: string[] }> {
  return await client.json({
    method: 'POST',
    path: '/containers/restore',
    query: { name: o.name, keep: o.keep ? '1' : undefined },
    body: archive,
  })
}
