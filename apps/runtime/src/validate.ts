import type { NamespaceType, RuntimeProcess, RuntimeSpec } from '@ctr/oci'
import { isIpcSysctl, rlimitNumber } from '@ctr/oci'
import { invalidArgument } from './errors.ts'
import { checkIntelRdt, resctrlRoot } from './intel-rdt.ts'

/** What must hold of a config.json before a plan is made of it. The texts are those of runc's specconv and validator. */
export function checkSpec(spec: RuntimeSpec): void {
  if (typeof spec !== 'object' || spec === null) throw invalidArgument('config.json: not an object')
  if (spec.process === undefined || spec.process === null) {
    throw invalidArgument('process property must not be empty')
  }
  checkShape(spec)
  checkProcess(spec.process)
  checkNamespaces(spec)
  for (const key of Object.keys(spec.linux?.sysctl ?? {})) checkSysctl(spec, key)
  checkHostThings(spec)
  checkTimeOffsets(spec, spec.linux?.timeOffsets ?? {})
}

/** The host's devices, and the shares of its processor. */
function checkHostThings(spec: RuntimeSpec): void {
  const { intelRdt, netDevices } = spec.linux ?? {}
  if (intelRdt !== undefined && intelRdt !== null) checkIntelRdt(intelRdt, resctrlRoot())
  const names = Object.entries(netDevices ?? {}).flatMap(([name, device]) => {
    const renamed = device?.name ?? ''
    return renamed === '' ? [name] : [name, renamed]
  })
  if (names.length === 0) return
  if (!has(spec, 'network')) {
    throw invalidArgument('unable to move network devices without a NET namespace')
  }
  const wrong = names.find((name) => !isDeviceName(name))
  if (wrong !== undefined) {
    throw invalidArgument(`invalid network device name ${JSON.stringify(wrong)}`)
  }
}

/** Linux, net/core/dev.c: dev_valid_name. IFNAMSIZ is 16, with the NUL. */
function isDeviceName(name: string): boolean {
  const length = Buffer.byteLength(name)
  if (length === 0 || length > 15) return false
  return name !== '.' && name !== '..' && !/[/:\s\0]/.test(name)
}

/** The arrays and objects that the plan walks over: JSON may hold anything. */
function checkShape(spec: RuntimeSpec): void {
  const lists: readonly (readonly [string, unknown])[] = [
    ['process.args', spec.process?.args],
    ['process.env', spec.process?.env],
    ['process.rlimits', spec.process?.rlimits],
    ['mounts', spec.mounts],
    ['linux.namespaces', spec.linux?.namespaces],
    ['linux.devices', spec.linux?.devices],
    ['linux.maskedPaths', spec.linux?.maskedPaths],
    ['linux.readonlyPaths', spec.linux?.readonlyPaths],
    ['linux.resources.devices', spec.linux?.resources?.devices],
  ]
  const bad = lists.find(([, value]) => !isAbsent(value) && !Array.isArray(value))
  if (bad !== undefined) throw invalidArgument(`config.json: ${bad[0]} is not a list`)
  const texts = [...(spec.process?.args ?? []), ...(spec.process?.env ?? [])]
  if (texts.some((one) => typeof one !== 'string' || one.includes('\0'))) {
    throw invalidArgument('config.json: process.args and process.env must be strings')
  }
  if ((spec.mounts ?? []).some((mount) => typeof mount?.destination !== 'string')) {
    throw invalidArgument('config.json: a mount without a destination')
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

export function checkProcess(process: RuntimeProcess): void {
  if (!process.cwd) throw invalidArgument('Cwd property must not be empty')
  if (!process.cwd.startsWith('/')) throw invalidArgument('Cwd must be an absolute path')
  if ((process.args ?? []).length === 0) throw invalidArgument('args must not be empty')
  const wrong = (process.rlimits ?? []).find((limit) => rlimitNumber(limit.type) === undefined)
  if (wrong !== undefined) throw invalidArgument(`wrong rlimit value: ${wrong.type}`)
}

/** Who is not named is root. */
export function withUser(process: RuntimeProcess): RuntimeProcess {
  const user = (process.user ?? {}) as Partial<RuntimeProcess['user']>
  return { ...process, user: { ...user, uid: user.uid ?? 0, gid: user.gid ?? 0 } }
}

function has(spec: RuntimeSpec, type: NamespaceType): boolean {
  return (spec.linux?.namespaces ?? []).some((one) => one.type === type)
}

function checkTimeOffsets(
  spec: RuntimeSpec,
  offsets: NonNullable<NonNullable<RuntimeSpec['linux']>['timeOffsets']>,
): void {
  const clocks = Object.keys(offsets)
  const isNew = spec.linux?.namespaces?.some((one) => one.type === 'time' && !one.path)
  if (clocks.length > 0 && isNew !== true) {
    throw invalidArgument('time namespace offsets specified, but TIME namespace is not new')
  }
  const wrong = clocks.find((clock) => clock !== 'monotonic' && clock !== 'boottime')
  if (wrong !== undefined) {
    throw invalidArgument(`time namespace offsets: unknown clock ${JSON.stringify(wrong)}`)
  }
}

/** What would otherwise change the host. */
function checkNamespaces(spec: RuntimeSpec): void {
  const { hostname, domainname, linux } = spec
  if (hostname !== undefined && hostname !== '' && !has(spec, 'uts')) {
    throw invalidArgument('unable to set hostname without a private UTS namespace')
  }
  if (domainname !== undefined && domainname !== '' && !has(spec, 'uts')) {
    throw invalidArgument('unable to set domainname without a private UTS namespace')
  }
  const isRestricted = [linux?.maskedPaths, linux?.readonlyPaths].some((list) => list?.length)
  if (isRestricted && !has(spec, 'mount')) {
    throw invalidArgument('unable to restrict sys entries without a private MNT namespace')
  }
  const isMapped = [linux?.uidMappings, linux?.gidMappings].some((list) => list?.length)
  if (isMapped && !has(spec, 'user')) {
    throw invalidArgument(
      "user namespace mappings specified, but USER namespace isn't enabled in the config",
    )
  }
}

function checkSysctl(spec: RuntimeSpec, key: string): void {
  const name = dotted(key)
  const quoted = JSON.stringify(key)
  if (isIpcSysctl(name)) {
    if (has(spec, 'ipc')) return
    throw invalidArgument(`sysctl ${quoted} is not allowed in the hosts ipc namespace`)
  }
  if (name.startsWith('net.')) {
    if (has(spec, 'network')) return
    throw invalidArgument(`sysctl ${quoted} not allowed in host network namespace`)
  }
  if (has(spec, 'uts') && name === 'kernel.domainname') return
  if (has(spec, 'uts') && name === 'kernel.hostname') {
    throw invalidArgument(`sysctl ${quoted} conflicts with the OCI spec hostname field`)
  }
  throw invalidArgument(`sysctl ${quoted} is not in a separate kernel namespace`)
}

/** sysctl.d(5): with a slash first, slashes separate and dots belong to names. */
function dotted(key: string): string {
  const first = /[./]/.exec(key)?.[0]
  if (first !== '/') return key
  return key.replace(/[./]/g, (mark) => (mark === '/' ? '.' : '/'))
}
