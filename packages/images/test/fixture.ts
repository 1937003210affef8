import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { digestOf } from '@ctr/oci'
import { openStore, type Store } from '@ctr/store'
import { type Images, type Logger, openImages } from '../src/index.ts'
import { encodeHeader, type NewEntry, paddingOf, TAR_END } from '../src/tar/write.ts'

export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

export interface TestImages extends AsyncDisposable {
  readonly root: string
  readonly store: Store
  readonly images: Images
  /** Names in tmp, snapshots and the content store, or some of them: what a failure must not add to. */
  files(...directories: readonly string[]): string[]
}

export function openTestImages(root = mkdtempSync('/tmp/ctr-images-test-')): TestImages {
  const store = openStore(join(root, 'ctr.db'))
  const images = openImages({ dataRoot: root, store, log: quiet })
  return {
    root,
    store,
    images,
    files: (...directories) =>
      (directories.length > 0 ? directories : ['tmp', 'snapshots', 'content/blobs/sha256']).flatMap(
        (directory) =>
          readdirSync(join(root, directory), {
            encoding: 'utf8',
            recursive: directory === 'tmp',
          })
            // The places that work begins in stay.
            .filter((name) => !/^spread(\/[^/]+)?$/.test(name))
            .map((name) => `${directory}/${name}`),
      ),
    [Symbol.asyncDispose]: async () => {
      await images[Symbol.asyncDispose]()
      store.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** A tar of these members. */
export function tarOf(entries: readonly (NewEntry & { data?: string | Buffer })[]): Buffer {
  const parts = entries.flatMap(({ data, ...entry }) => {
    const bytes = Buffer.from(data ?? '')
    return [
      encodeHeader({ mode: 0o644, ...entry, size: bytes.length }),
      bytes,
      Buffer.alloc(paddingOf(bytes.length)),
    ]
  })
  return Buffer.concat([...parts, TAR_END])
}

export interface ArchiveOptions {
  tags?: string[]
  config?: object
  created?: string
  parent?: string
  /** Changes manifest.json before it is written. */
  edit?: (manifest: Record<string, unknown>) => void
}

/** docker save's archive of an image of these layers. */
export function dockerArchive(layers: readonly Buffer[], options: ArchiveOptions = {}): Buffer {
  const { config, id } = imageConfig(layers, options)
  const manifest: Record<string, unknown> = {
    Config: `${id}.json`,
    RepoTags: options.tags ?? [],
    Layers: layers.map((_, index) => `layer${index}/layer.tar`),
    ...(options.parent === undefined ? {} : { Parent: options.parent }),
  }
  options.edit?.(manifest)
  return tarOf([
    { path: `${id}.json`, type: 'file', data: config },
    ...layers.map((data, index) => ({
      path: `layer${index}/layer.tar`,
      type: 'file' as const,
      data,
    })),
    { path: 'manifest.json', type: 'file', data: JSON.stringify([manifest]) },
  ])
}

export function imageConfig(
  layers: readonly Buffer[],
  options: ArchiveOptions = {},
): { config: Buffer; id: string } {
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      created: options.created ?? '2024-05-06T07:08:09.123456789Z',
      config: options.config ?? { Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer)) },
      history: layers.map((_, index) => ({ created_by: `step ${index}` })),
    }),
  )
  return { config, id: digestOf(config).slice('sha256:'.length) }
}

/** In pieces, so that block borders fall anywhere. */
export function streamOf(data: Buffer, pieceBytes = 7001): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < data.length; at += pieceBytes) yield data.subarray(at, at + pieceBytes)
    })(),
    { objectMode: false },
  )
}
