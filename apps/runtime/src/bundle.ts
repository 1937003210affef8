import { lstatSync, readFileSync, realpathSync } from 'node:fs'
import { isAbsolute, join, posix, resolve } from 'node:path'
import { errnoText, isErrno } from '@ctr/errdefs'
import { parseScopeName, type ScopeName, scopePath } from '@ctr/linux'
import { defaultDeviceRules, type RuntimeMount, type RuntimeSpec } from '@ctr/oci'
import { IN_ROOT } from '@ctr/shim'
import { invalidArgument } from './errors.ts'
import { withJoinedMaps } from './joined-maps.ts'
import { checkSpec, withUser } from './validate.ts'

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
  const linux = withJoinedMaps(written.linux ?? {})
  const scope = hasSystemdCgroup ? parseScopeName(linux.cgroupsPath ?? '', id) : undefined
  return {
    scope,
    path: bundle,
    rootfs,
    spec: {
      ...written,
      process: written.process && withUser(written.process),
      root: { ...written.root, path: rootfs },
      mounts: (written.mounts ?? []).map((mount) =>
        withoutRoot(absoluteSource(mount, bundle), rootfs),
      ),
      linux: {
        ...linux,
        cgroupsPath:
          scope === undefined ? cgroupPath(linux.cgroupsPath ?? '', id) : scopePath(scope),
        resources: {
          ...linux.resources,
          // Nothing is allowed that is not said, but what every container has. runc specconv.AllowedDevices
          devices: [
            { allow: false, access: 'rwm' },
            ...(linux.resources?.devices ?? []).flatMap(knownAccess),
            ...defaultDeviceRules().slice(1),
          ],
        },
      },
    },
  }
}

export const OWN_CGROUP_PARENT = '/ctr-runtime'

/** Letters that the kernel does not know are left out, as runc does. */
function knownAccess<T extends { access?: string | undefined }>(rule: T): T[] {
  const { access = '' } = rule
  if (access === '') return [rule]
  const known = access.replace(/[^rwm]/g, '')
  return known === '' ? [] : [{ ...rule, access: known }]
}

/** Same path in every hierarchy. Without one a place of our own, so that an id names nothing that exists. */
function cgroupPath(wanted: string, id: string): string {
  if (wanted === '') return posix.join(OWN_CGROUP_PARENT, id)
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

/** Paths below the root filesystem mean those in the container, with what earlier mounts have brought. As runc's. */
function withoutRoot(mount: RuntimeMount, rootfs: string): RuntimeMount {
  const { source = '', destination, options = [] } = mount
  const inside = (path: string): string =>
    path.startsWith(`${rootfs}/`) ? path.slice(rootfs.length) : path
  const isMapped = options.some((one) => one === 'idmap' || one === 'ridmap')
  const isMade = isBind(mount) && inside(source) !== source && !isMapped && !mount.uidMappings
  return {
    ...mount,
    // A relative one is deprecated, and relative to /. runtime-spec config.md#mounts
    destination: /^[^/]/.test(destination) ? `/${destination}` : inside(destination),
    ...(isMade ? { source: inside(source), options: [...options, IN_ROOT] } : {}),
  }
}

function isBind({ type, options }: RuntimeMount): boolean {
  return type === 'bind' || (options ?? []).some((one) => one === 'bind' || one === 'rbind')
}

/** Relative sources of binds are relative to the bundle. */
function absoluteSource(mount: RuntimeMount, bundle: string): RuntimeMount {
  if (!isBind(mount) || mount.source === undefined || isAbsolute(mount.source)) return mount
  return { ...mount, source: join(bundle, mount.source) }
}
