import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** What the image store and operations have made, below the data root: not what is there ahead for containers and layers to come. */
export function storeFiles(dataRoot: string): string[] {
  const places = existsSync(join(dataRoot, 'tmp/spread'))
    ? namesIn(dataRoot, 'tmp/spread').flatMap((place) => namesIn(dataRoot, place))
    : []
  return [...namesIn(dataRoot, 'content/blobs/sha256', 'snapshots', 'tmp'), ...places].filter(
    (path) => path !== 'tmp/spread' && !/\/spare-[0-9a-f]+-\d+$/.test(path),
  )
}

export function namesIn(dataRoot: string, ...directories: readonly string[]): string[] {
  return directories
    .filter((directory) => existsSync(join(dataRoot, directory)))
    .flatMap((directory) =>
      readdirSync(join(dataRoot, directory)).map((name) => `${directory}/${name}`),
    )
}
