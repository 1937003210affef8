import { lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type {
  DeviceMapping,
  DeviceRequest,
  HostConfig,
  ThrottleDevice,
  WeightDevice,
} from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { deviceNumbers } from '@ctr/linux'
import type { RuntimeBlockIO, RuntimeDevice, RuntimeDeviceRule } from '@ctr/oci'

import { type CdiEdits, type CdiNode, cdiEdits, firstCdiKind } from '../cdi/specs.ts'

/** What of the host's devices a container gets: nodes in /dev and rules of the device policy. */
export interface ContainerDevices {
  readonly nodes: readonly RuntimeDevice[]
  readonly rules: readonly RuntimeDeviceRule[]
  /** What CDI specs add besides. */
  readonly cdi?: Pick<CdiEdits, 'env' | 'mounts' | 'additionalGids'>
}

const S_IFMT = 0o170000
const S_IFBLK = 0o060000
const S_IFCHR = 0o020000

/** Looks the devices of `--device`, `--device-cgroup-rule` and `--privileged` up on the host, at each start. */
export function resolveDevices(
  hostConfig: HostConfig,
  cdiDirectories: readonly string[],
): ContainerDevices {
  const rules = (hostConfig.DeviceCgroupRules ?? []).map(parseDeviceRule)
  const requests = hostConfig.DeviceRequests ?? []
  const cdi = cdiEdits(
    requests.flatMap((request) => requestedNames(request, cdiDirectories)),
    cdiDirectories,
  )
  const mapped = [
    ...(hostConfig.Devices ?? []).map(resolveMapping),
    ...cdi.deviceNodes.map(resolveCdiNode),
  ]
  if (hostConfig.Privileged === true) {
    // Its policy allows everything; the mappings may still add nodes under other names.
    return {
      nodes: [...hostDevices('/dev'), ...mapped.flatMap(({ nodes }) => nodes)],
      rules,
      cdi,
    }
  }
  return {
    nodes: mapped.flatMap(({ nodes }) => nodes),
    rules: [...mapped.flatMap((device) => device.rules), ...rules],
    cdi,
  }
}

/** Classes that `--gpus` may mean. */
const GPU_KINDS = ['nvidia.com/gpu', 'amd.com/gpu', 'intel.com/gpu']

/** CDI names of a request: `--device vendor/class=name` (driver cdi), and GPUs where a vendor has described them. */
function requestedNames(request: DeviceRequest, directories: readonly string[]): readonly string[] {
  const { Driver = '', DeviceIDs: ids = [], Count = 0, Capabilities = [] } = request
  if (Driver === 'cdi') return ids
  const isGpu = Capabilities.some((all) => all.includes('gpu'))
  const kind = isGpu && Driver === '' ? firstCdiKind(GPU_KINDS, directories) : undefined
  if (kind === undefined) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `could not select device driver ${JSON.stringify(Driver)} with capabilities: [${Capabilities.map((all) => `[${all.join(' ')}]`).join(' ')}]`,
    )
  }
  if (ids.length > 0) return ids.map((id) => `${kind}=${id}`)
  if (Count < 0) return [`${kind}=all`]
  return Array.from({ length: Count }, (_, index) => `${kind}=${index}`)
}

function resolveCdiNode(node: CdiNode): ContainerDevices {
  const mapping = { PathOnHost: node.hostPath, PathInContainer: node.path }
  const device = resolveMapping({ ...mapping, CgroupPermissions: node.permissions })
  const { uid, gid, fileMode } = node
  return {
    ...device,
    nodes: device.nodes.map((one) => ({
      ...one,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(fileMode === undefined ? {} : { fileMode }),
    })),
  }
}

/** A device, or all devices below a directory. */
function resolveMapping(mapping: DeviceMapping): ContainerDevices {
  const host = mapping.PathOnHost ?? ''
  const path = (mapping.PathInContainer ?? '') === '' ? host : (mapping.PathInContainer ?? '')
  const access =
    (mapping.CgroupPermissions ?? '') === '' ? 'rwm' : (mapping.CgroupPermissions ?? '')
  if (!host.startsWith('/') || !path.startsWith('/') || !/^[rwm]{1,3}$/.test(access)) {
    throw new EngineError('INVALID_ARGUMENT', `invalid device: "${host}:${path}:${access}"`)
  }
  const nodes = deviceNodes(host, path)
  if (nodes.length === 0) throw badDevice(host, 'not a device node')
  return {
    nodes,
    rules: nodes.map((node) => ({
      allow: true,
      type: node.type === 'b' ? 'b' : 'c',
      major: node.major,
      minor: node.minor,
      access,
    })),
  }
}

function deviceNodes(host: string, path: string): RuntimeDevice[] {
  const stat = statSync(host, { throwIfNoEntry: false })
  if (stat === undefined) {
    throw badDevice(host, 'no such file or directory')
  }
  if (stat.isDirectory()) {
    return listDirectory(host).flatMap((name) => {
      const child = join(host, name)
      const kind = lstatSync(child, { throwIfNoEntry: false })
      if (kind === undefined || kind.isSymbolicLink() || kind.isFile()) return []
      if (!kind.isDirectory() && !isDevice(kind.mode)) return []
      return deviceNodes(child, join(path, name))
    })
  }
  if (!isDevice(stat.mode)) {
    throw badDevice(host, 'not a device node')
  }
  return [toNode(path, stat)]
}

function badDevice(host: string, reason: string): EngineError {
  const what = 'error gathering device information while adding custom device'
  return new EngineError('INVALID_ARGUMENT', `${what} "${host}": ${reason}`)
}

/** All devices of the host, but those that a container has of its own. runc devices_unix.go GetDevices */
function hostDevices(directory: string): RuntimeDevice[] {
  return listDirectory(directory).flatMap((name) => {
    if (['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev'].includes(name)) return []
    const path = join(directory, name)
    if (path === '/dev/console') return []
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return []
    if (stat.isDirectory()) return hostDevices(path)
    return isDevice(stat.mode) ? [toNode(path, stat)] : []
  })
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return [] // gone meanwhile
  }
}

function isDevice(mode: number): boolean {
  return (mode & S_IFMT) === S_IFBLK || (mode & S_IFMT) === S_IFCHR
}

function toNode(
  path: string,
  stat: { mode: number; rdev: number; uid: number; gid: number },
): RuntimeDevice {
  const { major, minor } = deviceNumbers(stat.rdev)
  return {
    type: (stat.mode & S_IFMT) === S_IFBLK ? 'b' : 'c',
    path,
    major,
    minor,
    fileMode: stat.mode & 0o777,
    uid: stat.uid,
    gid: stat.gid,
  }
}

/** `c 42:* rmw` */
function parseDeviceRule(text: string): RuntimeDeviceRule {
  const match = /^([acb]) (\d{1,10}|\*):(\d{1,10}|\*) ([rwm]{1,3})$/.exec(text)
  if (match === null) {
    throw new EngineError('INVALID_ARGUMENT', `invalid device cgroup rule format: '${text}'`)
  }
  const [, type = '', major = '', minor = '', access = ''] = match
  return {
    allow: true,
    type: type as 'a' | 'b' | 'c',
    major: major === '*' ? undefined : Number(major),
    minor: minor === '*' ? undefined : Number(minor),
    access,
  }
}

/** Block I/O limits by device path. */
export function resolveBlockIo(hostConfig: HostConfig): RuntimeBlockIO | undefined {
  const weight = hostConfig.BlkioWeight ?? 0
  const blockIO: RuntimeBlockIO = {
    ...(weight === 0 ? {} : { weight }),
    ...optional('weightDevice', (hostConfig.BlkioWeightDevice ?? []).map(weightDevice)),
    ...optional('throttleReadBpsDevice', throttles(hostConfig.BlkioDeviceReadBps)),
    ...optional('throttleWriteBpsDevice', throttles(hostConfig.BlkioDeviceWriteBps)),
    ...optional('throttleReadIOPSDevice', throttles(hostConfig.BlkioDeviceReadIOps)),
    ...optional('throttleWriteIOPSDevice', throttles(hostConfig.BlkioDeviceWriteIOps)),
  }
  return Object.keys(blockIO).length === 0 ? undefined : blockIO
}

function optional<K extends string, T>(key: K, list: T[]): { [P in K]?: T[] } {
  return (list.length === 0 ? {} : { [key]: list }) as { [P in K]?: T[] }
}

function weightDevice(device: WeightDevice): { major: number; minor: number; weight: number } {
  return { ...numbersOf(device.Path ?? ''), weight: device.Weight ?? 0 }
}

function throttles(
  devices: readonly ThrottleDevice[] | undefined,
): { major: number; minor: number; rate: number }[] {
  return (devices ?? []).map((device) => ({
    ...numbersOf(device.Path ?? ''),
    rate: device.Rate ?? 0,
  }))
}

function numbersOf(path: string): { major: number; minor: number } {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) {
    throw new EngineError('INVALID_ARGUMENT', `stat ${path}: no such file or directory`)
  }
  return deviceNumbers(stat.rdev)
}
