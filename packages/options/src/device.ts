import type { DeviceMapping, DeviceRequest, ThrottleDevice, WeightDevice } from '@ctr/api'
import { parseBytes } from './bytes.ts'
import { parseCsv } from './csv.ts'

/** `--device`, `--device-cgroup-rule`, `--device-*-bps/iops`, `--blkio-weight-device`, `--gpus`. Docker's texts. */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(':')
  if (parts.length > 3) throw new Error(`bad format for path: ${text}`)
  const [source = '', second = '', third] = parts
  if (source === '' || (parts.length > 1 && second === ''))
    throw new Error(`bad format for path: ${text}`)
  const secondIsMode = parts.length === 2 && isDeviceMode(second)
  const target = second === '' || secondIsMode ? source : second
  const mode = third ?? (secondIsMode ? second : 'rwm')
  if (!isDeviceMode(mode)) throw new Error(`bad mode specified: ${mode}`)
  for (const path of [source, target]) {
    if (!path.startsWith('/')) throw new Error(`${path} is not an absolute path`)
  }
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: mode }
}

function isDeviceMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length
}

/** `vendor.com/class=name` (CDI specification, "Fully qualified device name"). */
export function isCdiDevice(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$/.test(text)
}

export function checkDeviceCgroupRule(text: string): void {
  if (/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(text)) return
  throw new Error(`invalid device cgroup format '${text}'`)
}

export function parseThrottleBps(text: string): ThrottleDevice {
  const { path, value } = splitDevice(text)
  const rate = bytesOf(value)
  if (rate === undefined || rate < 0) {
    throw new Error(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
    )
  }
  return { Path: path, Rate: rate }
}

function bytesOf(text: string): number | undefined {
  try {
    return parseBytes(text)
  } catch {
    return undefined
  }
}

export function parseThrottleIops(text: string): ThrottleDevice {
  const { path, value } = splitDevice(text)
  if (!/^\d{1,15}$/.test(value)) {
    throw new Error(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
    )
  }
  return { Path: path, Rate: Number(value) }
}

export function parseWeightDevice(text: string): WeightDevice {
  const { path, value } = splitDevice(text)
  const weight = Number(value)
  if (!/^\d+$/.test(value) || (weight !== 0 && (weight < 10 || weight > 1000))) {
    throw new Error(`invalid weight for device: ${text}`)
  }
  return { Path: path, Weight: weight }
}

function splitDevice(text: string): { path: string; value: string } {
  const colon = text.indexOf(':')
  if (colon < 0) throw new Error(`bad format: ${text}`)
  const path = text.slice(0, colon)
  if (!path.startsWith('/dev/')) throw new Error(`bad format for device path: ${text}`)
  return { path, value: text.slice(colon + 1) }
}

/** `all`, `2`, `device=0,driver=nvidia`, `"capabilities=compute,utility",count=1` (docker/cli opts/gpus.go). */
export function parseGpus(text: string): DeviceRequest {
  if (text === '') throw new Error('EOF')
  const values = gpuValues(text)
  const devices = values.get('device')
  const count = values.get('count')
  const capabilities = values.get('capabilities')
  return {
    Driver: values.get('driver') ?? '',
    Count: count === undefined ? (devices === undefined ? 1 : 0) : gpuCount(count),
    ...(devices === undefined ? {} : { DeviceIDs: parseCsv(devices) }),
    Capabilities: [capabilities === undefined ? ['gpu'] : [...parseCsv(capabilities), 'gpu']],
    Options: keyValues(parseCsv(values.get('options') ?? '')),
  }
}

const GPU_KEYS: ReadonlySet<string> = new Set([
  'driver',
  'count',
  'device',
  'capabilities',
  'options',
])

function gpuValues(text: string): Map<string, string> {
  const values = new Map<string, string>()
  const seen = new Set<string>()
  for (const field of parseCsv(text)) {
    const equals = field.indexOf('=')
    const key = equals < 0 ? field : field.slice(0, equals)
    if (seen.has(key)) throw new Error(`gpu request key '${key}' can be specified only once`)
    if (equals >= 0 && !GPU_KEYS.has(key)) throw new Error(`unexpected key '${key}' in '${field}'`)
    seen.add(key)
    if (equals >= 0) {
      values.set(key, field.slice(equals + 1))
      continue
    }
    gpuCount(key)
    seen.add('count')
    values.set('count', key)
  }
  return values
}

function keyValues(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options
      .filter((option) => option !== '')
      .map((option) => {
        const [name = '', ...rest] = option.split('=')
        return [name, rest.join('=')]
      }),
  )
}

function gpuCount(text: string): number {
  if (text === 'all') return -1
  if (!/^[+-]?\d+$/.test(text)) {
    throw new Error(
      `invalid count (${text}): value must be either "all" or an integer: invalid syntax`,
    )
  }
  return Number(text)
}
