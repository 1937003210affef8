import { existsSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import type { RuntimeResources } from '@ctr/oci'
import { cpuWeight, ioWeight } from '../cgroup/limits.ts'
import { DbusConnection, DbusError } from './dbus.ts'
import type { DbusValue } from './dbus-message.ts'

/** Where a container's processes are when systemd keeps its cgroups: a transient scope in a slice. systemd.scope(5) */
export interface ScopeName {
  /** `system.slice` */
  readonly slice: string
  /** `ctr-<id>.scope` */
  readonly unit: string
}

/** systemd is the host's init. sd_booted(3) */
export function isSystemdBooted(): boolean {
  return existsSync('/run/systemd/system')
}

/** `slice:prefix:name` of `--systemd-cgroup`; all of it may be empty. INVALID_ARGUMENT. runc libcontainer/specconv */
export function parseScopeName(text: string, id: string): ScopeName {
  const [slice = '', prefix = '', name = '', ...more] = text === '' ? [] : text.split(':')
  if (text !== '' && (name === '' || more.length > 0)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "${text}" instead`,
    )
  }
  const base = text === '' ? `ctr-${id}` : prefix === '' ? name : `${prefix}-${name}`
  const unit = `${base}.scope`
  if (!/^[A-Za-z0-9:_.\\-]{1,255}$/.test(unit)) {
    throw new EngineError('INVALID_ARGUMENT', `invalid name of a systemd unit: ${unit}`)
  }
  return { slice: checkSlice(slice === '' ? 'system.slice' : slice), unit }
}

/** INVALID_ARGUMENT, with Docker's text. */
export function checkSlice(slice: string): string {
  if (slice === '-.slice' || /^[A-Za-z0-9:_.\\]+(-[A-Za-z0-9:_.\\]+)*\.slice$/.test(slice))
    return slice
  throw new EngineError(
    'INVALID_ARGUMENT',
    'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"',
  )
}

/** Path of the scope's cgroup in every hierarchy. `a-b.slice` is in `a.slice`. systemd.slice(5) */
export function scopePath({ slice, unit }: ScopeName): string {
  if (slice === '-.slice') return `/${unit}`
  const words = slice.slice(0, -'.slice'.length).split('-')
  const slices = words.map((_, index) => `${words.slice(0, index + 1).join('-')}.slice`)
  return `/${slices.join('/')}/${unit}`
}

const PRIVATE_SOCKET = '/run/systemd/private'
const MANAGER = {
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
} as const

/**
 * Makes the scope around process `pid`, delegated to us: systemd leaves what is below alone. The limits are told, so
 * that a reload of systemd's configuration does not take them back. It ends with its last process. UNAVAILABLE, INTERNAL.
 */
export async function startScope(
  name: ScopeName,
  o: { readonly pid: number; readonly description: string; readonly resources: RuntimeResources },
): Promise<void> {
  using systemd = await DbusConnection.open(PRIVATE_SOCKET)
  const properties: Property[] = [
    ['Description', ['s', o.description]],
    ['Slice', ['s', name.slice]],
    ['Delegate', ['b', true]],
    ['PIDs', ['au', [o.pid]]],
    ['DefaultDependencies', ['b', false]],
    ['CollectMode', ['s', 'inactive-or-failed']],
    ...['CPU', 'Memory', 'Tasks', 'IO'].map((what): Property => [`${what}Accounting`, ['b', true]]),
    ...limitProperties(o.resources),
  ]
  const start = (): Promise<void> =>
    runJob(systemd, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', [
      name.unit,
      'replace',
      properties,
      [],
    ])
  try {
    await start()
  } catch (error) {
    if (!isDbusError(error, 'UnitExists')) throw error
    // One of before that has failed and was not collected.
    await forget(systemd, name.unit)
    await start()
  }
}

/** Ends what is left in it. Nothing to do when there is none. */
export async function stopScope({ unit }: Pick<ScopeName, 'unit'>): Promise<void> {
  using systemd = await DbusConnection.open(PRIVATE_SOCKET)
  try {
    await runJob(systemd, 'StopUnit', 'ss', [unit, 'replace'])
  } catch (error) {
    if (!isDbusError(error, 'NoSuchUnit')) throw error
  }
  await forget(systemd, unit)
}

/** New limits of a running scope. NOT_FOUND: there is none. */
export async function updateScope({ unit }: ScopeName, resources: RuntimeResources): Promise<void> {
  const properties = limitProperties(resources)
  if (properties.length === 0) return
  using systemd = await DbusConnection.open(PRIVATE_SOCKET)
  try {
    const body = [unit, true, properties]
    await systemd.call({
      ...MANAGER,
      member: 'SetUnitProperties',
      signature: 'sba(sv)',
      body: body as DbusValue[],
    })
  } catch (cause) {
    if (!isDbusError(cause, 'NoSuchUnit')) throw cause
    throw new EngineError('NOT_FOUND', `no such systemd unit: ${unit}`, { cause })
  }
}

async function forget(systemd: DbusConnection, unit: string): Promise<void> {
  try {
    await systemd.call({ ...MANAGER, member: 'ResetFailedUnit', signature: 's', body: [unit] })
  } catch (error) {
    if (!(error instanceof DbusError)) throw error // it is not there: nothing to forget
  }
}

/** A call whose answer is a job, and the job's end. */
async function runJob(
  systemd: DbusConnection,
  member: string,
  signature: string,
  body: readonly unknown[],
): Promise<void> {
  const ended = new Map<string, string>()
  const { promise, resolve } = Promise.withResolvers<void>()
  let job = ''
  // The job may end before its name is known.
  using _listening = systemd.onSignal((name, [, path, , result]) => {
    if (name !== 'JobRemoved') return
    ended.set(String(path), String(result))
    if (path === job) resolve()
  })
  const answer = await systemd.call({ ...MANAGER, member, signature, body: body as DbusValue[] })
  job = String(answer[0])
  if (!ended.has(job)) await Promise.race([promise, timeout(member)])
  const result = ended.get(job)
  if (result !== 'done' && result !== 'skipped') {
    throw new EngineError('INTERNAL', `systemd: ${member} ${String(body[0])}: ${result}`)
  }
}

const JOB_TIMEOUT_MS = 30_000

function timeout(member: string): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(
      () => reject(new EngineError('INTERNAL', `systemd: ${member} takes too long`)),
      JOB_TIMEOUT_MS,
    ).unref()
  })
}

function isDbusError(error: unknown, name: string): boolean {
  return error instanceof DbusError && error.errorName === `org.freedesktop.systemd1.${name}`
}

type Property = readonly [name: string, value: readonly [type: string, value: DbusValue]]

const UNLIMITED = 2n ** 64n - 1n

/** Limits in systemd's words: what it would otherwise write over. systemd.resource-control(5) */
export function limitProperties({ memory, cpu, pids, blockIO }: RuntimeResources): Property[] {
  const properties: Property[] = []
  const number = (name: string, value: number | bigint | undefined): void => {
    if (value === undefined) return
    properties.push([name, ['t', value < 0 ? UNLIMITED : BigInt(value)]])
  }
  number('MemoryMax', memory?.limit)
  number('MemoryLow', memory?.reservation)
  number('MemorySwapMax', swapMax(memory))
  if (cpu?.shares !== undefined && cpu.shares > 0) number('CPUWeight', cpuWeight(cpu.shares))
  number('CPUQuotaPerSecUSec', quotaPerSecond(cpu))
  if (cpu?.period !== undefined && cpu.period > 0) number('CPUQuotaPeriodUSec', cpu.period)
  if (pids?.limit !== undefined) number('TasksMax', pids.limit > 0 ? pids.limit : -1)
  if (blockIO?.weight !== undefined && blockIO.weight > 0) {
    number('IOWeight', ioWeight(blockIO.weight))
  }
  for (const [name, list] of [
    ['AllowedCPUs', cpu?.cpus],
    ['AllowedMemoryNodes', cpu?.mems],
  ] as const) {
    if (list !== undefined && list !== '') properties.push([name, ['ay', [...cpuSetBytes(list)]]])
  }
  return properties
}

function swapMax(memory: RuntimeResources['memory']): number | undefined {
  const { swap, limit } = memory ?? {}
  if (swap === undefined || swap === 0) return undefined
  return swap < 0 || limit === undefined || limit < 0 ? -1 : swap - limit
}

const SECOND_US = 1_000_000
const DEFAULT_PERIOD_US = 100_000
/** systemd wants whole hundredths of a processor. */
const QUOTA_STEP_US = 10_000

function quotaPerSecond(cpu: RuntimeResources['cpu']): number | undefined {
  const { quota, period } = cpu ?? {}
  if (quota === undefined || quota === 0) return undefined
  if (quota < 0) return -1
  const perSecond = (quota * SECOND_US) / (period && period > 0 ? period : DEFAULT_PERIOD_US)
  return Math.ceil(perSecond / QUOTA_STEP_US) * QUOTA_STEP_US
}

/** `0-2,5` as a bit mask, the lowest number in the first byte. */
function cpuSetBytes(list: string): Uint8Array {
  const numbers = list.split(',').flatMap((range) => {
    const [first = '', last = first] = range.trim().split('-')
    const from = Number(first)
    return Array.from({ length: Number(last) - from + 1 }, (_, index) => from + index)
  })
  const bytes = new Uint8Array(Math.floor(Math.max(...numbers) / 8) + 1)
  for (const one of numbers) bytes[one >> 3] = (bytes[one >> 3] ?? 0) | (1 << (one & 7))
  return bytes
}
