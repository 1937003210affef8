import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
} from 'node:fs'
import { isAbsolute, join, posix, resolve } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { parseScopeName, type ScopeName, scopePath } from '@ctr/linux'
import { defaultDeviceRules, type RuntimeMount, type RuntimeSpec } from '@ctr/oci'
import { invalidArgument } from './errors.ts'
import { errnoText } from './failure.ts'
import { checkSpec } from './validate.ts'

export interface Bundle {
  readonly path: string
  readonly rootfs: string
  readonly spec: RuntimeSpec
  /** With --systemd-cgroup. */
  readonly scope?: ScopeName | undefined
}

/** Reads and checks `<path>/config.json`, and completes it: absolute paths, the devices every container has. */
export function readBundle(path: string, id: string, hasSystemdCgroup = false): Bundle {
  const bundle = resolve(path)
  const written = readConfig(bundle)
  checkSpec(written)
  const rootfs = findRootfs(bundle, written.root?.path ?? 'rootfs')
  const { linux } = written
  const scope = hasSystemdCgroup ? parseScopeName(linux?.cgroupsPath ?? '', id) : undefined
  return {
    scope,
    path: bundle,
    rootfs,
    spec: {
      ...written,
      root: { ...written.root, path: rootfs },
      mounts: (written.mounts ?? []).map((mount) => absoluteSource(mount, bundle)),
      linux: {
        ...linux,
        cgroupsPath:
          scope === undefined ? cgroupPath(linux?.cgroupsPath ?? '', id) : scopePath(scope),
        resources: {
          ...linux?.resources,
          // Nothing is allowed that is not said, but what every container has. runc specconv.AllowedDevices
          devices: [
            { allow: false, access: 'rwm' },
            ...(linux?.resources?.devices ?? []),
            ...defaultDeviceRules().slice(1),
          ],
        },
      },
    },
  }
}

/** Same path in every hierarchy. Without one a place of our own, so that an id names nothing that exists. */
function cgroupPath(wanted: string, id: string): string {
  if (wanted === '') return posix.join('/ctr-runtime', id)
  const path = posix.resolve('/', wanted)
  if (path === '/') throw invalidArgument('cgroupsPath: the root cgroup cannot be a container')
  return path
}

function readConfig(bundle: string): RuntimeSpec {
  let text: string
  try {
    lstatSync(bundle)
  } catch (error) {
    throw invalidArgument(`chdir ${bundle}: ${describe(error)}`)
  }
  try {
    text = readFileSync(join(bundle, 'config.json'), 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      throw invalidArgument('JSON specification file config.json not found')
    }
    throw invalidArgument(`open config.json: ${describe(error)}`)
  }
  try {
    return JSON.parse(text) as RuntimeSpec
  } catch (error) {
    throw invalidArgument(`config.json: ${describe(error)}`)
  }
}

function findRootfs(bundle: string, path: string): string {
  const rootfs = isAbsolute(path) ? path : join(bundle, path)
  try {
    return realpathSync(rootfs)
  } catch (error) {
    throw invalidArgument(`invalid rootfs: stat ${rootfs}: ${describe(error)}`)
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? errnoText(error.code) : error.message
}

/** Relative sources of binds are relative to the bundle. */
function absoluteSource(mount: RuntimeMount, bundle: string): RuntimeMount {
  const isBind =
    mount.type === 'bind' || (mount.options ?? []).some((one) => one === 'bind' || one === 'rbind')
  if (!isBind || mount.source === undefined || isAbsolute(mount.source)) return mount
  return { ...mount, source: join(bundle, mount.source) }
}

/** HOME of the user in the image's /etc/passwd, where the spec says none; as runc. */
export function withHome(
  process: { readonly env?: string[] | undefined; readonly user: { readonly uid: number } },
  rootfs: string,
): string[] {
  const env = process.env ?? []
  if (env.some((entry) => entry.startsWith('HOME='))) return env
  const line = readPasswd(rootfs)
    .split('\n')
    .map((entry) => entry.split(':'))
    .find(([, , uid]) => uid === String(process.user.uid))
  return [...env, `HOME=${line?.[5] || '/'}`]
}

const PASSWD_MAX_BYTES = 1 << 20

/** The image may have put anything there: links are not followed, only a regular file is read. */
function readPasswd(rootfs: string): string {
  try {
    if (!lstatSync(join(rootfs, 'etc')).isDirectory()) return ''
    const path = join(rootfs, 'etc/passwd')
    if (!lstatSync(path).isFile()) return ''
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const buffer = Buffer.alloc(PASSWD_MAX_BYTES)
      return buffer.toString('utf8', 0, readSync(fd, buffer))
    } finally {
      closeSync(fd)
    }
  } catch {
    return ''
  }
}
