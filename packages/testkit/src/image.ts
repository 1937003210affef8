import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface ImageFile {
  readonly path: string
  readonly type?: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character'
  readonly content?: string | Buffer
  readonly target?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly major?: number
  readonly minor?: number
}

export interface ImageOptions {
  readonly reference: string
  /** One list per layer, the lowest first. */
  readonly layers: readonly (readonly ImageFile[])[]
  /** The image-spec `config` object: Env, Cmd, Entrypoint, User, … */
  readonly config?: Readonly<Record<string, unknown>>
}

/** A docker-archive (what `docker save` of 1.10 to 24 writes) of a tiny image, for `load`. */
export function imageArchive(options: ImageOptions): Buffer {
  const layers = options.layers.map((files) => tarArchive(files))
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      created: '2026-01-01T00:00:00Z',
      config: options.config ?? {},
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
      history: layers.map(() => ({ created: '2026-01-01T00:00:00Z', created_by: 'testkit' })),
    }),
  )
  const layerNames = layers.map((layer) => `${sha256(layer)}/layer.tar`)
  const configName = `${sha256(config)}.json`
  const manifest = [{ Config: configName, RepoTags: [options.reference], Layers: layerNames }]
  return tarArchive([
    { path: configName, content: config },
    ...layers.map((content, index) => ({ path: layerNames[index] ?? '', content })),
    { path: 'manifest.json', content: JSON.stringify(manifest) },
  ])
}

/** The host's static busybox with a link for each applet: what ctrd embeds, for engines that do not. */
export function busyboxArchive(reference: string): Buffer {
  const applets = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')
  const directory = (path: string, mode = 0o755): ImageFile => ({ path, type: 'directory', mode })
  return imageArchive({
    reference,
    layers: [
      [
        ...['bin/', 'etc/', 'root/', 'usr/', 'var/'].map((path) => directory(path)),
        directory('tmp/', 0o1777),
        { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
        ...applets
          .filter((applet) => applet !== 'busybox')
          .map(
            (applet): ImageFile => ({
              path: `bin/${applet}`,
              type: 'symlink',
              target: '/bin/busybox',
            }),
          ),
        { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n' },
        { path: 'etc/group', content: 'root:x:0:\n' },
      ],
    ],
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['sh'],
    },
  })
}

/** A ustar archive. Paths are taken as they are, so that hostile ones can be written, too. */
export function tarArchive(files: readonly ImageFile[]): Buffer {
  const blocks: Buffer[] = []
  for (const file of files) {
    const content = Buffer.from(file.content ?? '')
    blocks.push(header(file, content.length), content, Buffer.alloc(-content.length & 511))
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

// POSIX.1-2001 pax, "ustar Interchange Format".
const typeFlags = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  directory: '5',
  fifo: '6',
} as const

function header(file: ImageFile, size: number): Buffer {
  const { type = 'file', uid = 0, gid = 0 } = file
  const block = Buffer.alloc(512)
  block.write(file.path, 0, 100)
  block.write(octal(file.mode ?? (type === 'directory' ? 0o755 : 0o644), 7), 100)
  block.write(octal(uid, 7), 108)
  block.write(octal(gid, 7), 116)
  block.write(octal(size, 11), 124)
  block.write(octal(Date.UTC(2026, 0, 1) / 1000, 11), 136)
  block.write('        ', 148)
  block.write(typeFlags[type], 156)
  block.write(file.target ?? '', 157, 100)
  block.write('ustar\u000000', 257)
  block.write(octal(file.major ?? 0, 7), 329)
  block.write(octal(file.minor ?? 0, 7), 337)
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${octal(sum, 6)}\u0000 `, 148)
  return block
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
