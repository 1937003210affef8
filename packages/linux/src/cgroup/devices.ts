import type { RuntimeDeviceRule } from '@ctr/oci'

/**
 * A device policy: what is not an exception is allowed, or denied. The rules of a container are brought into this form as
 * the v1 devices controller would, so that both cgroup versions decide alike. cgroup-v1/devices.rst
 */
export interface DevicePolicy {
  readonly isAllowedByDefault: boolean
  readonly exceptions: readonly DeviceException[]
}

interface DeviceException {
  readonly type: 'b' | 'c'
  /** Undefined: any. */
  readonly major: number | undefined
  readonly minor: number | undefined
  /** ACCESS_* bits: which are allowed (denied) against the default. */
  readonly access: number
}

/** BPF_DEVCG_ACC_*: linux/bpf.h */
export const ACCESS_MKNOD = 1
export const ACCESS_READ = 2
export const ACCESS_WRITE = 4
const ACCESS_ALL = 7
/** BPF_DEVCG_DEV_*. */
const DEVICE_TYPE = { b: 1, c: 2 } as const

/** The controller knows "all types" for all devices only: with a number it is one rule for each type, as crun has it. */
function ofBothTypes(rule: RuntimeDeviceRule): RuntimeDeviceRule[] {
  const isWhole = wildcard(rule.major) === undefined && wildcard(rule.minor) === undefined
  if ((rule.type ?? 'a') !== 'a' || isWhole) return [rule]
  return (['b', 'c'] as const).map((type) => ({ ...rule, type }))
}

export function devicePolicy(rules: readonly RuntimeDeviceRule[]): DevicePolicy {
  let isAllowedByDefault = false
  let exceptions: DeviceException[] = []
  for (const rule of rules.flatMap(ofBothTypes)) {
    const major = wildcard(rule.major)
    const minor = wildcard(rule.minor)
    const type = rule.type ?? 'a'
    if (type === 'a') {
      isAllowedByDefault = rule.allow
      exceptions = []
      continue
    }
    const access = accessBits(rule.access)
    const isSame = (one: DeviceException): boolean =>
      one.type === type && one.major === major && one.minor === minor
    const before = exceptions.find(isSame)?.access ?? 0
    const after = rule.allow === isAllowedByDefault ? before & ~access : before | access
    exceptions = exceptions.filter((one) => !isSame(one))
    if (after !== 0) exceptions.push({ type, major, minor, access: after })
  }
  return { isAllowedByDefault, exceptions }
}

function wildcard(number: number | undefined): number | undefined {
  return number === undefined || number === -1 ? undefined : number
}

function accessBits(access: string | undefined): number {
  if (access === undefined || access === '') return ACCESS_ALL
  let bits = 0
  for (const letter of access) {
    const bit = { m: ACCESS_MKNOD, r: ACCESS_READ, w: ACCESS_WRITE }[letter]
    if (bit === undefined) throw new RangeError(`invalid device access: ${access}`)
    bits |= bit
  }
  return bits
}

/** Writes for the v1 controller, in order. */
export function deviceWritesV1(
  policy: DevicePolicy,
): { file: 'devices.allow' | 'devices.deny'; value: string }[] {
  const [all, each] = policy.isAllowedByDefault
    ? (['devices.allow', 'devices.deny'] as const)
    : (['devices.deny', 'devices.allow'] as const)
  return [
    { file: all, value: 'a' },
    ...policy.exceptions.map(({ type, major, minor, access }) => ({
      file: each,
      value: `${type} ${major ?? '*'}:${minor ?? '*'} ${accessText(access)}`,
    })),
  ]
}

function accessText(access: number): string {
  return `${access & ACCESS_READ ? 'r' : ''}${access & ACCESS_WRITE ? 'w' : ''}${access & ACCESS_MKNOD ? 'm' : ''}`
}

// eBPF: bpf(2), Documentation/bpf/standardization/instruction-set.rst
const LDX_W = 0x61
const MOV32_X = 0xbc
const AND32_K = 0x54
const RSH32_K = 0x74
const MOV64_K = 0xb7
const JEQ_K = 0x15
const JNE_K = 0x55
const EXIT = 0x95
const INSTRUCTION_SIZE = 8

/** Registers: R1 is the context until the fields are loaded, then scratch. */
const RESULT = 0
const CONTEXT = 1
const SCRATCH = 1
const ACCESS = 2
const TYPE = 3
const MAJOR = 4
const MINOR = 5

interface Instruction {
  code: number
  dst?: number
  src?: number
  offset?: number
  immediate?: number
  /** Jump to the end of this exception: the offset is filled in when its length is known. */
  toNext?: true
}

/**
 * The policy as a program of type BPF_PROG_TYPE_CGROUP_DEVICE (struct bpf_insn[]): 1 allows, 0 denies with EPERM.
 * Each exception jumps to the next one if it does not match.
 */
export function deviceProgramV2(policy: DevicePolicy): Uint8Array {
  const program: Instruction[] = [
    // struct bpf_cgroup_dev_ctx { u32 access_type (access << 16 | type), major, minor }
    { code: LDX_W, dst: ACCESS, src: CONTEXT, offset: 0 },
    { code: MOV32_X, dst: TYPE, src: ACCESS },
    { code: AND32_K, dst: TYPE, immediate: 0xffff },
    { code: RSH32_K, dst: ACCESS, immediate: 16 },
    { code: LDX_W, dst: MAJOR, src: CONTEXT, offset: 4 },
    { code: LDX_W, dst: MINOR, src: CONTEXT, offset: 8 },
    ...policy.exceptions.flatMap((exception) => exceptionCode(policy, exception)),
    ...verdict(policy.isAllowedByDefault),
  ]
  const bytes = Buffer.alloc(program.length * INSTRUCTION_SIZE)
  program.forEach(({ code, dst = 0, src = 0, offset = 0, immediate = 0 }, index) => {
    const at = index * INSTRUCTION_SIZE
    bytes.writeUInt8(code, at)
    bytes.writeUInt8((src << 4) | dst, at + 1)
    bytes.writeInt16LE(offset, at + 2)
    bytes.writeInt32LE(immediate, at + 4)
  })
  return bytes
}

function exceptionCode(policy: DevicePolicy, exception: DeviceException): Instruction[] {
  const { type, major, minor, access } = exception
  const code: Instruction[] = [
    { code: JNE_K, dst: TYPE, immediate: DEVICE_TYPE[type], toNext: true },
  ]
  if (policy.isAllowedByDefault) {
    // Denied as soon as one of the wanted accesses is.
    code.push(
      { code: MOV32_X, dst: SCRATCH, src: ACCESS },
      { code: AND32_K, dst: SCRATCH, immediate: access },
      { code: JEQ_K, dst: SCRATCH, immediate: 0, toNext: true },
    )
  } else if (access !== ACCESS_ALL) {
    // Allowed only if all of the wanted accesses are.
    code.push(
      { code: MOV32_X, dst: SCRATCH, src: ACCESS },
      { code: AND32_K, dst: SCRATCH, immediate: ~access & ACCESS_ALL },
      { code: JNE_K, dst: SCRATCH, immediate: 0, toNext: true },
    )
  }
  if (major !== undefined) code.push({ code: JNE_K, dst: MAJOR, immediate: major, toNext: true })
  if (minor !== undefined) code.push({ code: JNE_K, dst: MINOR, immediate: minor, toNext: true })
  code.push(...verdict(!policy.isAllowedByDefault))
  return code.map((instruction, index) =>
    instruction.toNext ? { ...instruction, offset: code.length - index - 1 } : instruction,
  )
}

function verdict(isAllowed: boolean): Instruction[] {
  return [{ code: MOV64_K, dst: RESULT, immediate: isAllowed ? 1 : 0 }, { code: EXIT }]
}
