import { type Capability, parseCapability } from '../capabilities.ts'
import type { RuntimeSeccomp, SeccompAction, SeccompArgument } from '../runtime-spec.ts'

/**
 * A seccomp profile as Docker writes it: the runtime-spec's with sub-architectures by native architecture, and rules
 * that hold for some capabilities, architectures or kernels only. `resolveSeccomp` makes the runtime-spec's of it.
 */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction
  readonly defaultErrnoRet?: number | undefined
  readonly architectures?: readonly string[] | undefined
  readonly archMap?: readonly SeccompArchitecture[] | null | undefined
  readonly flags?: readonly string[] | undefined
  readonly listenerPath?: string | undefined
  readonly syscalls: readonly SeccompProfileRule[]
}

interface SeccompArchitecture {
  readonly architecture: string
  readonly subArchitectures?: readonly string[] | null | undefined
}

export interface SeccompProfileRule {
  readonly names: readonly string[]
  readonly action: SeccompAction
  readonly errnoRet?: number | undefined
  readonly args?: readonly SeccompArgument[] | null | undefined
  /** All must hold. */
  readonly includes?: SeccompCondition | undefined
  /** None may hold. */
  readonly excludes?: SeccompCondition | undefined
}

export interface SeccompCondition {
  readonly caps?: readonly string[] | undefined
  /** Names as Docker has them: amd64, arm64, x86, … */
  readonly arches?: readonly string[] | undefined
  /** `4.8`. */
  readonly minKernel?: string | undefined
}

export interface SeccompSubject {
  /** The bounding set. */
  readonly capabilities: readonly string[]
  /** As Node names it: x64, arm64, … */
  readonly arch: string
  readonly kernel: { readonly major: number; readonly minor: number }
}

/** Node's name → Docker's, and the runtime-spec's. */
const ARCHITECTURES: Readonly<Record<string, readonly [docker: string, oci: string]>> = {
  x64: ['amd64', 'SCMP_ARCH_X86_64'],
  ia32: ['x86', 'SCMP_ARCH_X86'],
  arm64: ['arm64', 'SCMP_ARCH_AARCH64'],
  arm: ['arm', 'SCMP_ARCH_ARM'],
  ppc64: ['ppc64le', 'SCMP_ARCH_PPC64LE'],
  riscv64: ['riscv64', 'SCMP_ARCH_RISCV64'],
  s390x: ['s390x', 'SCMP_ARCH_S390X'],
  loong64: ['loongarch64', 'SCMP_ARCH_LOONGARCH64'],
}

/** The rules of a profile that hold for one container on one host. */
export function resolveSeccomp(profile: SeccompProfile, subject: SeccompSubject): RuntimeSeccomp {
  const [, native = ''] = ARCHITECTURES[subject.arch] ?? []
  const mapped = profile.archMap?.find((one) => one.architecture === native)
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures:
      mapped === undefined
        ? [...(profile.architectures ?? [])]
        : [native, ...(mapped.subArchitectures ?? [])],
    flags: profile.flags === undefined ? undefined : [...profile.flags],
    listenerPath: profile.listenerPath,
    syscalls: profile.syscalls
      .filter((rule) => isIncluded(rule.includes, subject) && !isExcluded(rule.excludes, subject))
      .map((rule) => ({
        names: [...rule.names],
        action: rule.action,
        errnoRet: rule.errnoRet,
        args: rule.args == null ? undefined : [...rule.args],
      })),
  }
}

function isIncluded(condition: SeccompCondition | undefined, subject: SeccompSubject): boolean {
  if (condition === undefined) return true
  const { caps = [], arches = [], minKernel } = condition
  return (
    (arches.length === 0 || arches.includes(dockerArch(subject))) &&
    caps.every((cap) => hasCapability(cap, subject)) &&
    (minKernel === undefined || isKernelAtLeast(minKernel, subject))
  )
}

function isExcluded(condition: SeccompCondition | undefined, subject: SeccompSubject): boolean {
  if (condition === undefined) return false
  const { caps = [], arches = [], minKernel } = condition
  return (
    arches.includes(dockerArch(subject)) ||
    caps.some((cap) => hasCapability(cap, subject)) ||
    (minKernel !== undefined && isKernelAtLeast(minKernel, subject))
  )
}

function dockerArch(subject: SeccompSubject): string {
  return ARCHITECTURES[subject.arch]?.[0] ?? subject.arch
}

function hasCapability(name: string, subject: SeccompSubject): boolean {
  const capability: Capability | undefined = parseCapability(name)
  return capability !== undefined && subject.capabilities.includes(capability)
}

function isKernelAtLeast(text: string, { kernel }: SeccompSubject): boolean {
  const [major = 0, minor = 0] = text.split('.').map(Number)
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor)
}

/**
 * Reads a profile from outside (`--security-opt seccomp=…`). Unknown fields are ignored, as Docker does. Throws
 * RangeError that says what is wrong.
 */
export function parseSeccompProfile(text: string): SeccompProfile {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new RangeError(`decoding seccomp profile failed: ${String(cause)}`, { cause })
  }
  const profile = object(json, 'profile', 'Go value of type seccomp.Seccomp')
  const syscalls = list(profile['syscalls'], 'syscalls').map((item) => {
    const rule = object(item, 'syscalls')
    if (
      rule['name'] !== undefined &&
      rule['name'] !== '' &&
      list(rule['names'], 'names').length > 0
    ) {
      throw new RangeError(
        "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
      )
    }
    const names =
      typeof rule['name'] === 'string' && rule['name'] !== ''
        ? [rule['name']]
        : strings(rule['names'], 'names')
    return {
      names,
      action: action(rule['action']),
      errnoRet: optionalNumber(rule['errnoRet'], 'errnoRet'),
      args: list(rule['args'], 'args').map(argument),
      includes: condition(rule['includes']),
      excludes: condition(rule['excludes']),
    }
  })
  const architectures = strings(profile['architectures'], 'architectures')
  const archMap = list(profile['archMap'], 'archMap').map((item) => {
    const entry = object(item, 'archMap')
    return {
      architecture: String(entry['architecture']),
      subArchitectures: strings(entry['subArchitectures'], 'subArchitectures'),
    }
  })
  if (architectures.length > 0 && archMap.length > 0) {
    throw new RangeError(
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    )
  }
  const listenerPath = profile['listenerPath']
  return {
    defaultAction: action(profile['defaultAction']),
    defaultErrnoRet: optionalNumber(profile['defaultErrnoRet'], 'defaultErrnoRet'),
    architectures,
    archMap,
    flags: profile['flags'] == null ? undefined : strings(profile['flags'], 'flags'),
    listenerPath: typeof listenerPath === 'string' ? listenerPath : undefined,
    syscalls,
  }
}

function condition(value: unknown): SeccompCondition | undefined {
  if (value == null) return undefined
  const { caps, arches, minKernel } = object(value, 'includes or excludes')
  return {
    caps: strings(caps, 'caps'),
    arches: strings(arches, 'arches'),
    minKernel: typeof minKernel === 'string' && minKernel !== '' ? minKernel : undefined,
  }
}

function argument(value: unknown): SeccompArgument {
  const { index, value: first, valueTwo, op } = object(value, 'args')
  if (typeof index !== 'number' || typeof first !== 'number' || typeof op !== 'string') {
    throw new RangeError('seccomp profile: bad args')
  }
  return {
    index,
    value: first,
    valueTwo: optionalNumber(valueTwo, 'valueTwo'),
    op: op as SeccompArgument['op'],
  }
}

function action(value: unknown): SeccompAction {
  if (value === undefined) throw new RangeError('seccomp profile: action missing')
  if (typeof value !== 'string') {
    throw wrongType(value, 'Go struct field Seccomp.defaultAction of type specs.LinuxSeccompAction')
  }
  return value as SeccompAction // an unknown one is refused when the filter is compiled
}

/** The words of Go's encoding/json: dockerd's for what is of another type. */
function wrongType(value: unknown, place: string): RangeError {
  const kind = Array.isArray(value)
    ? 'array'
    : typeof value === 'boolean'
      ? 'bool'
      : value === null
        ? 'null'
        : typeof value
  return new RangeError(`json: cannot unmarshal ${kind} into ${place}`)
}

function object(
  value: unknown,
  what: string,
  place = `Go struct field Seccomp.${what}`,
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(value, place)
  }
  return value as Record<string, unknown>
}

const LIST_TYPES: Readonly<Record<string, string>> = {
  syscalls: '[]*seccomp.Syscall',
  archMap: '[]seccomp.Architecture',
  architectures: '[]specs.Arch',
  args: '[]*specs.LinuxSeccompArg',
}

function list(value: unknown, what: string): unknown[] {
  if (value == null) return []
  if (!Array.isArray(value)) {
    throw wrongType(
      value,
      `Go struct field Seccomp.${what} of type ${LIST_TYPES[what] ?? '[]string'}`,
    )
  }
  return value
}

function strings(value: unknown, what: string): string[] {
  return list(value, what).map((item) => {
    if (typeof item !== 'string') {
      throw wrongType(item, `Go struct field Seccomp.${what} of type string`)
    }
    return item
  })
}

function optionalNumber(value: unknown, what: string): number | undefined {
  if (value == null) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`seccomp profile: ${what} is not a number`)
  }
  return value
}
