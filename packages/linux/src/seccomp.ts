import { closeSync, readFileSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'
import type { RuntimeSeccomp, SeccompAction, SeccompArgument, SeccompRule } from '@ctr/oci'
import koffi from 'koffi'
import { kernelHasX32 } from './kernel-config.ts'
import { errnoError, lastError, libc } from './libc.ts'
import { compactFilter } from './seccomp-compact.ts'

/**
 * Compiles a seccomp profile with libseccomp to what seccomp(2) takes: struct sock_filter[]. It depends on nothing but the profile
 * and the machine, and takes 50 ms: see `SeccompFilters`. `arch` as Node names it, `hasX32`: the kernel knows calls of x32.
 * EngineError if libseccomp is missing or refuses.
 */
export function compileSeccomp(
  profile: RuntimeSeccomp,
  arch: string = process.arch,
  hasX32: boolean = kernelHasX32(),
): Uint8Array {
  return compactFilter(spelledOutFilter(profile, arch, hasX32))
}

/** `SECCOMP_FILTER_FLAG_*` for seccomp(2). Without a word, speculation is left alone, as runc does. linux/seccomp.h */
export function seccompFlags(profile: RuntimeSeccomp): number {
  const known: Record<string, number> = {
    // The process has one thread when it gets its filter.
    SECCOMP_FILTER_FLAG_TSYNC: 0,
    SECCOMP_FILTER_FLAG_LOG: 2,
    SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
    // Only with a listener: without one it means nothing.
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0,
  }
  return (profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']).reduce((flags, name) => {
    const flag = known[name]
    if (flag === undefined) throw invalidProfile(`unknown flag ${name}`)
    return flags | flag
  }, 0)
}

const SECCOMP_RET_ALLOW = 0x7fff0000
const SECCOMP_RET_ERRNO = 0x00050000
const EPERM = 1
const ENOSYS = 38

/** Attributes of a filter: seccomp_attr_set(3). */
const SCMP_FLTATR_CTL_NNP = 3
const SCMP_FLTATR_CTL_OPTIMIZE = 8
/**
 * Binary tree instead of a list. The kernel runs a new filter once for each system call number to learn which are always
 * allowed: with a list of 1,000 instructions that is most of what seccomp costs at start.
 */
const OPTIMIZE_TREE = 2
/** What libseccomp answers for a name that it does not know. */
const NR_SCMP_ERROR = -1
/** sizeof(struct scmp_arg_cmp): u32 argument, u32 operator, u64 value, u64 second value. */
const ARGUMENT_SIZE = 24

type KoffiFunction = ReturnType<ReturnType<typeof koffi.load>['func']>

interface Library {
  init: KoffiFunction
  release: KoffiFunction
  attrSet: KoffiFunction
  archAdd: KoffiFunction
  archResolve: KoffiFunction
  resolveName: KoffiFunction
  resolveNameArch: KoffiFunction
  ruleAdd: KoffiFunction
  exportBpf: KoffiFunction
}

let loaded: Library | undefined

/** Loaded on first use: a host that runs everything unconfined does without it. */
function library(): Library {
  if (loaded !== undefined) return loaded
  try {
    const lib = koffi.load('libseccomp.so.2')
    loaded = {
      init: lib.func('void *seccomp_init(uint32_t action)'),
      release: lib.func('void seccomp_release(void *context)'),
      attrSet: lib.func('int seccomp_attr_set(void *context, int attribute, uint32_t value)'),
      archAdd: lib.func('int seccomp_arch_add(void *context, uint32_t token)'),
      archResolve: lib.func('uint32_t seccomp_arch_resolve_name(const char *name)'),
      resolveName: lib.func('int seccomp_syscall_resolve_name(const char *name)'),
      resolveNameArch: lib.func(
        'int seccomp_syscall_resolve_name_arch(uint32_t token, const char *name)',
      ),
      ruleAdd: lib.func(
        'int seccomp_rule_add_array(void *context, uint32_t action, int syscall, unsigned int count, const void *arguments)',
      ),
      exportBpf: lib.func('int seccomp_export_bpf(void *context, int fd)'),
    }
    return loaded
  } catch (cause) {
    throw new EngineError(
      'UNAVAILABLE',
      'seccomp is not available: libseccomp.so.2 cannot be loaded (install libseccomp2, or run with --security-opt seccomp=unconfined)',
      { cause },
    )
  }
}

/** What libseccomp makes of a profile, behind the prologue. */
export function spelledOutFilter(profile: RuntimeSeccomp, arch: string, hasX32: boolean): Buffer {
  const lib = library()
  const defaultAction = actionValue(profile.defaultAction, profile.defaultErrnoRet)
  const context: unknown = lib.init(defaultAction)
  if (context === null) throw invalidProfile('libseccomp could not be initialized')
  try {
    // no_new_privs is the launch program's business.
    check('seccomp_attr_set', lib.attrSet(context, SCMP_FLTATR_CTL_NNP, 0))
    // EINVAL or so before libseccomp 2.5: then it stays a list.
    lib.attrSet(context, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_TREE)
    for (const name of profile.architectures ?? []) addArchitecture(lib, context, name)
    for (const rule of profile.syscalls ?? []) addRule(lib, context, rule, defaultAction)
    return Buffer.concat([
      prologue(lib, profile, arch, hasX32, defaultAction),
      exportFilter(lib, context),
    ])
  } finally {
    lib.release(context)
  }
}

const EEXIST = 17

function addArchitecture(lib: Library, context: unknown, name: string): void {
  const token = Number(lib.archResolve(name.replace(/^SCMP_ARCH_/, '').toLowerCase()))
  if (token === 0) throw invalidProfile(`unknown architecture ${name}`)
  const result = Number(lib.archAdd(context, token))
  if (result !== -EEXIST) check('seccomp_arch_add', result, name)
}

/** A name that this libseccomp does not know is left out: see `prologue`. */
function addRule(lib: Library, context: unknown, rule: SeccompRule, defaultAction: number): void {
  const action = actionValue(rule.action, rule.errnoRet)
  if (action === defaultAction) return
  const chains = argumentChains(rule.args ?? [])
  for (const name of rule.names) {
    const number = Number(lib.resolveName(name))
    if (number === NR_SCMP_ERROR) continue
    for (const chain of chains) {
      check(
        'seccomp_rule_add',
        lib.ruleAdd(context, action, number, chain.length, encodeArguments(chain)),
        name,
      )
    }
  }
}

/**
 * libseccomp wants each argument at most once per rule, all conditions of which must hold. A rule that names one
 * argument twice means "any of these" (runc's reading of the runtime-spec).
 */
function argumentChains(args: readonly SeccompArgument[]): SeccompArgument[][] {
  const isUnique = new Set(args.map((arg) => arg.index)).size === args.length
  return isUnique ? [[...args]] : args.map((arg) => [arg])
}

/** enum scmp_compare */
const OPERATORS: Record<SeccompArgument['op'], number> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
}

function encodeArguments(args: readonly SeccompArgument[]): Buffer {
  const bytes = Buffer.alloc(Math.max(1, args.length) * ARGUMENT_SIZE)
  args.forEach(({ index, value, valueTwo, op }, position) => {
    const operator = OPERATORS[op]
    if (operator === undefined) throw invalidProfile(`unknown operator ${op}`)
    if (!Number.isInteger(index) || index < 0 || index > 5) {
      throw invalidProfile(`argument ${index}: a system call has arguments 0 to 5`)
    }
    const at = position * ARGUMENT_SIZE
    bytes.writeUInt32LE(index, at)
    bytes.writeUInt32LE(operator, at + 4)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at + 8)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(valueTwo ?? 0)), at + 16)
  })
  return bytes
}

/** The value of an action as the kernel has it: seccomp(2) SECCOMP_RET_*. */
function actionValue(action: SeccompAction, errno: number | undefined): number {
  const data = (errno ?? EPERM) & 0xffff
  switch (action) {
    case 'SCMP_ACT_KILL':
    case 'SCMP_ACT_KILL_THREAD':
      return 0
    case 'SCMP_ACT_KILL_PROCESS':
      return 0x80000000
    case 'SCMP_ACT_TRAP':
      return 0x00030000
    case 'SCMP_ACT_ERRNO':
      return SECCOMP_RET_ERRNO | data
    case 'SCMP_ACT_TRACE':
      return 0x7ff00000 | data
    case 'SCMP_ACT_LOG':
      return 0x7ffc0000
    case 'SCMP_ACT_ALLOW':
      return SECCOMP_RET_ALLOW
    case 'SCMP_ACT_NOTIFY':
      throw invalidProfile('a listener (SCMP_ACT_NOTIFY) is not supported')
  }
  throw invalidProfile(`unknown action ${String(action)}`)
}

const MFD_CLOEXEC = 1
const memfdCreate = libc.func('int memfd_create(const char *name, unsigned int flags)')

function exportFilter(lib: Library, context: unknown): Buffer {
  const fd = Number(memfdCreate('seccomp', MFD_CLOEXEC))
  if (fd < 0) throw lastError('memfd_create')
  try {
    check('seccomp_export_bpf', lib.exportBpf(context, fd))
    return readFileSync(`/proc/self/fd/${fd}`)
  } finally {
    closeSync(fd)
  }
}

/**
 * System calls newer than libseccomp 2.5.4. Since 5.1 a number is the same on all architectures.
 * asm-generic/unistd.h
 */
const NEW_SYSCALLS: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
}

/** AUDIT_ARCH_* of the architectures whose numbers `prologue` is sure of. linux/audit.h */
const AUDIT_ARCH: Readonly<Record<string, number>> = {
  x64: 0xc000003e,
  arm64: 0xc00000b7,
  riscv64: 0xc00000f3,
  loong64: 0xc0000102,
  ppc64: 0xc0000015,
  s390x: 0x80000016,
}
/** x32 calls have it in the number. asm/unistd.h __X32_SYSCALL_BIT */
const X32_BIT = 0x40000000

// Classic BPF: linux/filter.h
const LOAD_WORD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_GREATER = 0x25
const JUMP_GREATER_EQUAL = 0x35
const RETURN = 0x06
/** Offsets in struct seccomp_data. */
const DATA_NR = 0
const DATA_ARCH = 4

/**
 * Runs before libseccomp's code, for native calls only. A profile that was written before a system call existed means
 * "not there" for it, not "forbidden": programs fall back on ENOSYS but give up on EPERM (runc does the same). And calls
 * that the profile allows but this libseccomp cannot name are allowed here. Where the kernel answers ENOSYS to all of x32,
 * so do we, and what libseccomp has to say of it, a quarter of the filter, is left out by `compactFilter`.
 */
function prologue(
  lib: Library,
  profile: RuntimeSeccomp,
  arch: string,
  hasX32: boolean,
  defaultAction: number,
): Buffer {
  const token = AUDIT_ARCH[arch]
  const isDenying = defaultAction >>> 16 === SECCOMP_RET_ERRNO >>> 16
  if (token === undefined || !isDenying) return Buffer.alloc(0)
  const rules = profile.syscalls ?? []
  const numbers = rules.flatMap((rule) =>
    rule.names.map((name) => NEW_SYSCALLS[name] ?? Number(lib.resolveNameArch(token, name))),
  )
  const newest = Math.max(0, ...numbers)
  const unnamed = rules
    .filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && (rule.args ?? []).length === 0)
    .flatMap((rule) => rule.names)
    .filter((name) => Number(lib.resolveName(name)) === NR_SCMP_ERROR)
    .flatMap((name) => NEW_SYSCALLS[name] ?? [])
  const checks: Statement[] = [
    [JUMP_GREATER, 0, 1, newest],
    [RETURN, 0, 0, SECCOMP_RET_ERRNO | ENOSYS],
    ...unnamed.flatMap((number): Statement[] => [
      [JUMP_EQUAL, 0, 1, number],
      [RETURN, 0, 0, SECCOMP_RET_ALLOW],
    ]),
  ]
  const judged = [...(arch === 'x64' ? x32Calls(hasX32, checks.length) : []), ...checks]
  const body: Statement[] = [
    [LOAD_WORD, 0, 0, DATA_NR],
    // Old calls, the common ones, go straight on.
    [JUMP_GREATER_EQUAL, 0, judged.length, Math.min(newest, ...unnamed)],
    ...judged,
  ]
  return encodeStatements([
    [LOAD_WORD, 0, 0, DATA_ARCH],
    [JUMP_EQUAL, 0, body.length, token],
    ...body,
  ])
}

/** Of an x86-64 kernel. -1 is not one of them: it is the number that a tracer gives to a call that is to be skipped. */
function x32Calls(hasX32: boolean, following: number): Statement[] {
  if (hasX32) return [[JUMP_GREATER_EQUAL, following, 0, X32_BIT]]
  return [
    [JUMP_EQUAL, following + 2, 0, 0xffff_ffff],
    [JUMP_GREATER_EQUAL, 0, 1, X32_BIT],
    [RETURN, 0, 0, SECCOMP_RET_ERRNO | ENOSYS],
  ]
}

/** struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 value. */
type Statement = readonly [code: number, jt: number, jf: number, k: number]

function encodeStatements(statements: readonly Statement[]): Buffer {
  const bytes = Buffer.alloc(statements.length * 8)
  statements.forEach(([code, jt, jf, k], index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(jt, index * 8 + 2)
    bytes.writeUInt8(jf, index * 8 + 3)
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4)
  })
  return bytes
}

function check(call: string, result: unknown, detail = ''): void {
  if (Number(result) < 0) throw errnoError(call, -Number(result), detail)
}

function invalidProfile(reason: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `seccomp profile: ${reason}`)
}
