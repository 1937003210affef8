import type { FilesystemChange } from '@ctr/api'
import { type Client, path } from '../client.ts'

export async function containerChanges(client: Client, ref: string): Promise<FilesystemChange[]> {
  const changes: FilesystemChange[] | null = await client.json({
    method: 'GET',
    path: path`/containers/${ref}/changes`,
  })
  return changes ?? []
}
