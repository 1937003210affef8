import {
  type Client,
  listContainers,
  listImages,
  listNetworks,
  listVolumes,
  path,
} from '@ctr/client'
import { DEFAULT_CONTEXT } from '../context/current.ts'
import { ContextStore } from '../context/store.ts'

/** What can stand where a name is asked for. `file`: the shell knows better. */
export type NameKind =
  | 'container'
  | 'running'
  | 'stopped'
  | 'paused'
  | 'image'
  | 'volume'
  | 'network'
  | 'secret'
  | 'context'
  | 'object'
  | 'file'

const STATUS: Partial<Record<NameKind, string[]>> = {
  running: ['running', 'restarting'],
  stopped: ['created', 'exited'],
  paused: ['paused'],
}

/** Asks the daemon. Nothing, and no error, if it does not answer. */
export async function liveNames(
  kind: NameKind,
  client: Client,
  configDirectory: string,
): Promise<string[]> {
  switch (kind) {
    case 'container':
    case 'running':
    case 'stopped':
    case 'paused': {
      const status = STATUS[kind]
      const filters = status === undefined ? {} : { status }
      const containers = await listContainers(client, { all: true, filters })
      return containers.flatMap(({ Names }) => Names.map((name) => name.slice(1)))
    }
    case 'image': {
      const images = await listImages(client)
      const tags = images.flatMap(({ RepoTags }) => RepoTags ?? [])
      return tags.flatMap((tag) => (tag.endsWith(':latest') ? [tag.slice(0, -7), tag] : [tag]))
    }
    case 'volume':
      return (await listVolumes(client)).Volumes?.map(({ Name }) => Name) ?? []
    case 'network':
      return (await listNetworks(client)).map(({ Name }) => Name)
    case 'secret': {
      const secrets = await client.json<{ Spec: { Name: string } }[]>({
        method: 'GET',
        path: path`/secrets`,
      })
      return secrets.map(({ Spec }) => Spec.Name)
    }
    case 'context':
      return [...new ContextStore(configDirectory).list().map(({ Name }) => Name), DEFAULT_CONTEXT]
    case 'object': {
      const kinds = ['container', 'image', 'volume', 'network'] as const
      return (await Promise.all(kinds.map((each) => liveNames(each, client, '')))).flat()
    }
    case 'file':
      return []
  }
}
