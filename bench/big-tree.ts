import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIRECTORIES = 200
const FILES_PER_DIRECTORY = 100
const FILE_BYTES = 6000

/** 120 MB in 20,000 files, below `folder`/tree. */
export function makeBigTree(folder: string): string {
  const tree = join(folder, 'tree')
  for (let dir = 0; dir < DIRECTORIES; dir++) {
    const path = join(tree, 'tree', `d${dir}`)
    mkdirSync(path, { recursive: true })
    for (let file = 0; file < FILES_PER_DIRECTORY; file++)
      writeFileSync(join(path, `f${file}`), Buffer.alloc(FILE_BYTES, `${dir}/${file} `))
  }
  return tree
}

let layers = 0

/** The tree's tar with one small file that is unlike any other tar's, also in its size: another layer each time. */
export function makeLayer(tree: string, target: string): void {
  layers += 1
  // tar writes whole records of 10 KiB.
  writeFileSync(join(tree, 'mark'), Buffer.alloc(layers * 10_240, `${layers} `))
  execFileSync('tar', ['-C', tree, '-cf', target, '.'])
}

/** An image of one layer as `docker save` writes it; moves the layer into it. */
export async function makeImageArchive(
  layer: string,
  reference: string,
  target: string,
): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(layer)) hash.update(chunk as Buffer)
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {},
    created: '2026-01-01T00:00:00Z',
    history: [{ created: '2026-01-01T00:00:00Z' }],
    rootfs: { type: 'layers', diff_ids: [`sha256:${hash.digest('hex')}`] },
  }
  const folder = `${target}.d`
  mkdirSync(folder)
  renameSync(layer, join(folder, 'layer.tar'))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const manifest = [{ Config: 'config.json', RepoTags: [reference], Layers: ['layer.tar'] }]
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  const members = ['layer.tar', 'config.json', 'manifest.json']
  execFileSync('tar', ['-C', folder, '-cf', target, ...members])
  rmSync(folder, { recursive: true })
}
