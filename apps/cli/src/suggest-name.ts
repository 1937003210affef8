import { type Client, listContainers, listImages, listNetworks, listVolumes } from '@ctr/client'
import { nearest } from '@ctr/options'

const UNKNOWN: readonly {
  readonly pattern: RegExp
  readonly names: (client: Client) => Promise<string[]>
}[] = [
  { pattern: /No such container: ([^\s,]+)/i, names: containerNames },
  { pattern: /No such image: ([^\s,]+)/i, names: imageNames },
  { pattern: /network ([^\s,]+) not found/i, names: networkNames },
  { pattern: /get ([^\s,]+): no such volume/i, names: volumeNames },
  { pattern: /No such object: ([^\s,]+)/i, names: allNames },
]

/** For people: the name that was probably meant by one that the daemon does not know. */
export async function suggestName(client: Client, message: string): Promise<string | undefined> {
  for (const { pattern, names } of UNKNOWN) {
    const word = pattern.exec(message)?.[1]
    if (word === undefined) continue
    // The error itself has been told: another one here helps nobody.
    const known = await names(client).catch(() => [])
    const found = nearest(word.replace(/:latest$/, ''), known)
    return found === undefined ? undefined : `Did you mean ${found}?`
  }
  return undefined
}

async function containerNames(client: Client): Promise<string[]> {
  const containers = await listContainers(client, { all: true })
  return containers.flatMap(({ Names }) => Names.map((name) => name.replace(/^\//, '')))
}

async function imageNames(client: Client): Promise<string[]> {
  const images = await listImages(client, {})
  return images.flatMap(({ RepoTags }) =>
    (RepoTags ?? []).map((tag) => tag.replace(/:latest$/, '')),
  )
}

async function networkNames(client: Client): Promise<string[]> {
  return (await listNetworks(client, {})).map(({ Name }) => Name)
}

async function volumeNames(client: Client): Promise<string[]> {
  return ((await listVolumes(client, {})).Volumes ?? []).map(({ Name }) => Name)
}

async function allNames(client: Client): Promise<string[]> {
  const names = [containerNames, imageNames, networkNames, volumeNames].map((list) => list(client))
  return (await Promise.all(names)).flat()
}
