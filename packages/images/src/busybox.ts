import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { digestOf, type ImageConfig, parseReference, withDefaultTag } from '@ctr/oci'
import { writeArchive } from './archive/write.ts'
import { hostArchitecture } from './manifest.ts'
import { encodeHeader, type NewEntry, paddingOf, TAR_END } from './tar/write.ts'

export interface BusyboxOptions {
  /** A statically linked busybox. */
  busyboxPath: string
  reference: string
  labels?: Record<string, string>
}

/** One date for everything, so that the same busybox always gives the same image id. */
const CREATED_SECONDS = 1_672_531_200
const CREATED = '2023-01-01T00:00:00Z'

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
sync:x:4:100:sync:/bin:/bin/sync
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
`
const GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
lp:x:7:
mail:x:8:
kmem:x:9:
wheel:x:10:root
cdrom:x:11:
dialout:x:18:
floppy:x:19:
video:x:28:
audio:x:29:
tape:x:32:
www-data:x:33:
operator:x:37:
utmp:x:43:
plugdev:x:46:
staff:x:50:
lock:x:54:
netdev:x:82:
users:x:100:
nobody:x:65534:
`
const SHADOW = `root:*:::::::
daemon:*:::::::
bin:*:::::::
sys:*:::::::
sync:*:::::::
mail:*:::::::
www-data:*:::::::
operator:*:::::::
nobody:*:::::::
`

const DIRECTORIES: readonly (readonly [string, number, number?])[] = [
  ['bin', 0o755],
  ['dev', 0o755],
  ['etc', 0o755],
  ['home', 0o755, 65534],
  ['proc', 0o755],
  ['root', 0o700],
  ['sbin', 0o755],
  ['sys', 0o755],
  ['tmp', 0o1777],
  ['usr', 0o755],
  ['usr/bin', 0o755],
  ['usr/sbin', 0o755],
  ['var', 0o755],
  ['var/spool', 0o755],
  ['var/spool/mail', 0o755, 8],
  ['var/www', 0o755, 33],
]

const runFile = promisify(execFile)

/** An image archive (for load) of one busybox with a link per applet, like the official busybox image. */
export async function buildBusyboxImage(options: BusyboxOptions): Promise<Readable> {
  const binary = await readFile(options.busyboxPath)
  const { stdout } = await runFile(options.busyboxPath, ['--list-full'])
  const layer = buildLayer(binary, stdout.split('\n'))
  const diffId = digestOf(layer)
  const image = {
    config: Buffer.from(JSON.stringify(buildConfig(diffId, options.labels))),
    parent: undefined,
    names: [withDefaultTag(parseReference(options.reference))],
    layers: [
      {
        digest: diffId,
        size: layer.length,
        compression: 'none' as const,
        open: async function* (): AsyncGenerator<Buffer> {
          yield layer
        },
      },
    ],
  }
  return Readable.from(writeArchive([image]), { objectMode: false })
}

function buildConfig(diffId: string, labels: Record<string, string> | undefined): ImageConfig {
  return {
    architecture: hostArchitecture(),
    os: 'linux',
    created: CREATED,
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['sh'],
      ...(labels === undefined ? {} : { Labels: labels }),
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created: CREATED, created_by: 'BusyBox (statically linked)' }],
  }
}

function buildLayer(binary: Buffer, applets: readonly string[]): Buffer {
  const parts: Buffer[] = []
  const add = (entry: NewEntry, data: Buffer = Buffer.alloc(0)): void => {
    const times = { mtimeSeconds: CREATED_SECONDS, size: data.length }
    parts.push(encodeHeader({ ...times, ...entry }), data, Buffer.alloc(paddingOf(data.length)))
  }
  for (const [path, mode, owner = 0] of DIRECTORIES) {
    add({ path, type: 'directory', mode, uid: owner, gid: owner })
  }
  add({ path: 'bin/busybox', type: 'file', mode: 0o755 }, binary)
  for (const path of [...new Set(applets)].sort()) {
    // `linuxrc` is for initrds.
    if (!/^(?:usr\/)?s?bin\/[^/]+$/.test(path) || path === 'bin/busybox') continue
    add({ path, type: 'symlink', mode: 0o777, linkTarget: '/bin/busybox' })
  }
  add({ path: 'etc/passwd', type: 'file', mode: 0o644 }, Buffer.from(PASSWD))
  add({ path: 'etc/group', type: 'file', mode: 0o644 }, Buffer.from(GROUP))
  add({ path: 'etc/shadow', type: 'file', mode: 0o600 }, Buffer.from(SHADOW))
  return Buffer.concat([...parts, TAR_END])
}
