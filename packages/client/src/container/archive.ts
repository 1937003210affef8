import type { PathStat } from '@ctr/api'
import { type Client, path } from '../client.ts'
import type { BodyStream } from '../http/body-stream.ts'

/** NOT_FOUND: no such container, or no such path in it. */
export async function statArchive(client: Client, ref: string, file: string): Promise<PathStat> {
  const response = await client.request({
    method: 'HEAD',
    path: path`/containers/${ref}/archive`,
    query: { path: file },
  })
  return parseStat(response.head.headers)
}

/** A tar with the file or directory as its only root entry. */
export async function getArchive(
  client: Client,
  ref: string,
  file: string,
): Promise<{ stat: PathStat; tar: BodyStream }> {
  const response = await client.request({
    method: 'GET',
    path: path`/containers/${ref}/archive`,
    query: { path: file },
  })
  return { stat: parseStat(response.head.headers), tar: response.body }
}

/** Unpacks a tar into an existing directory. */
export async function putArchive(
  client: Client,
  ref: string,
  directory: string,
  tar: AsyncIterable<Uint8Array>,
  options: { readonly noOverwriteDirNonDir?: boolean; readonly copyUidGid?: boolean } = {},
): Promise<void> {
  await client.run({
    method: 'PUT',
    path: path`/containers/${ref}/archive`,
    query: {
      path: directory,
      noOverwriteDirNonDir: options.noOverwriteDirNonDir,
      copyUIDGID: options.copyUidGid,
    },
    body: tar,
  })
}

function parseStat(headers: Readonly<Record<string, string>>): PathStat {
  const encoded = headers['x-docker-container-path-stat'] ?? ''
  return JSON.parse(Buffer.from(encoded, 'base64').toString()) as PathStat
}
