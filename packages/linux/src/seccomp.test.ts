import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_CAPABILITIES, defaultSeccomp, type RuntimeSeccomp } from '@ctr/oci'
import { compileSeccomp, seccompFlags, spelledOutFilter } from './seccomp.ts'
import { compactFilter } from './seccomp-compact.ts'

const ALLOW = 0x7fff0000
const errno = (number: number): number => 0x00050000 | number
const [EPERM, ENOSYS] = [1, 38]
const AUDIT_ARCH_X86_64 = 0xc000003e
const AUDIT_ARCH_I386 = 0x40000003

/** Runs a classic BPF filter on one system call, as seccomp does. */
function run(
  filter: Uint8Array,
  call: { nr: number; arch?: number; args?: readonly (number | bigint)[] },
): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(call.nr >>> 0, 0)
  data.writeUInt32LE((call.arch ?? AUDIT_ARCH_X86_64) >>> 0, 4)
  call.args?.forEach((arg, index) => {
    data.writeBigUInt64LE(BigInt(arg), 16 + index * 8)
  })
  const code = Buffer.from(filter)
  let a = 0
  for (let pc = 0; pc * 8 < code.length; pc++) {
    const op = code.readUInt16LE(pc * 8)
    const [jt, jf] = [code.readUInt8(pc * 8 + 2), code.readUInt8(pc * 8 + 3)]
    const k = code.readUInt32LE(pc * 8 + 4)
    if (op === 0x20) a = data.readUInt32LE(k)
    else if (op === 0x54) a = (a & k) >>> 0
    else if (op === 0x05) pc += k
    else if (op === 0x15) pc += a === k ? jt : jf
    else if (op === 0x25) pc += a > k ? jt : jf
    else if (op === 0x35) pc += a >= k ? jt : jf
    else if (op === 0x45) pc += (a & k) !== 0 ? jt : jf
    else if (op === 0x06) return k
    else assert.fail(`instruction ${op.toString(16)}`)
  }
  return assert.fail('fell off the end')
}

const subject = { capabilities: DEFAULT_CAPABILITIES, arch: 'x64', kernel: { major: 6, minor: 1 } }
const options = { skip: process.arch === 'x64' ? false : 'system call numbers are those of x86-64' }

test('the default filter decides as the profile says', options, () => {
  const filter = compileSeccomp(defaultSeccomp(subject), 'x64', true)
  const calls: readonly [what: string, nr: number, args: (number | bigint)[], result: number][] = [
    ['read', 0, [], ALLOW],
    ['execve', 59, [], ALLOW],
    ['clone of a thread', 56, [0x3d0f00], ALLOW],
    ['clone of a user namespace', 56, [0x10000011], errno(EPERM)],
    ['clone3', 435, [], errno(ENOSYS)],
    ['unshare', 272, [0x10000000], errno(EPERM)],
    ['mount', 165, [], errno(EPERM)],
    ['setns', 308, [], errno(EPERM)],
    ['keyctl', 250, [], errno(EPERM)],
    ['io_uring_setup', 425, [], errno(EPERM)],
    ['socket AF_INET', 41, [2, 1, 0], ALLOW],
    ['socket AF_NETLINK', 41, [16, 3, 0], ALLOW],
    ['socket AF_ALG', 41, [38, 5, 0], errno(EPERM)],
    ['socket AF_VSOCK', 41, [40, 1, 0], errno(EPERM)],
    ['socket AF_XDP', 41, [44, 3, 0], ALLOW],
    ['socket of a family beyond all', 41, [46, 1, 0], errno(EPERM)],
    ['personality PER_LINUX', 135, [0], ALLOW],
    ['personality of another kind', 135, [1], errno(EPERM)],
    ['query of the personality', 135, [0xffffffff], ALLOW],
    ['cachestat, newer than libseccomp', 451, [], ALLOW],
    ['fchmodat2, newer than libseccomp', 452, [], ALLOW],
    ['mseal, newer than libseccomp', 462, [], ALLOW],
    ['lsm_set_self_attr, newer and not allowed', 460, [], errno(EPERM)],
    ['a call newer than the profile', 480, [], errno(ENOSYS)],
    ['a number that cannot be', 0xffffffff, [], errno(EPERM)],
    ['an x32 call', 0x40000000, [], ALLOW],
  ]
  for (const [what, nr, args, result] of calls) {
    assert.equal(run(filter, { nr, args }), result, what)
  }
})

test(
  'calls of x32 are ENOSYS where the kernel has none, all others are judged the same',
  options,
  () => {
    const profile = defaultSeccomp(subject)
    const [all, native] = [true, false].map((hasX32) => compileSeccomp(profile, 'x64', hasX32))
    assert.ok(all !== undefined && native !== undefined && native.length < all.length * 0.8)
    for (const call of callsAround(spelledOutFilter(profile, 'x64', true))) {
      const isX32 =
        call.arch === AUDIT_ARCH_X86_64 && call.nr >= 0x40000000 && call.nr !== 0xffffffff
      const expected: number = isX32 ? errno(ENOSYS) : run(all, call)
      assert.equal(run(native, call), expected, JSON.stringify(call, bigintText))
    }
  },
)

test('what is not denied with an error is left as it is written, x32 or not', options, () => {
  const killing: RuntimeSeccomp = {
    defaultAction: 'SCMP_ACT_KILL_PROCESS',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'],
    syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }],
  }
  const filter = compileSeccomp(killing, 'x64', false)
  assert.equal(run(filter, { nr: 0x40000001 }), 0x80000000)
  assert.deepEqual(filter, compileSeccomp(structuredClone(killing), 'x64', true))
})

test('a 32-bit program is judged by its own numbers', options, () => {
  const filter = compileSeccomp(defaultSeccomp(subject), 'x64')
  const arch = AUDIT_ARCH_I386
  assert.equal(run(filter, { arch, nr: 3 }), ALLOW) // read
  assert.equal(run(filter, { arch, nr: 21 }), errno(EPERM)) // mount
  assert.equal(run(filter, { arch, nr: 310 }), errno(EPERM)) // unshare
})

test('an architecture that the profile does not list is killed', options, () => {
  const filter = compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' }, 'x64')
  assert.equal(run(filter, { nr: 0 }), ALLOW)
  assert.equal(run(filter, { nr: 0, arch: AUDIT_ARCH_I386 }), 0)
})

test('a filter without capabilities denies chroot, with SYS_ADMIN it allows mount', options, () => {
  const none = compileSeccomp(defaultSeccomp({ ...subject, capabilities: [] }), 'x64')
  assert.equal(run(none, { nr: 161 }), errno(EPERM))
  const admin = defaultSeccomp({ ...subject, capabilities: ['CAP_SYS_ADMIN'] })
  assert.equal(run(compileSeccomp(admin, 'x64'), { nr: 165 }), ALLOW)
  assert.equal(run(compileSeccomp(admin, 'x64'), { nr: 435 }), ALLOW)
})

test('a profile of its own can fail one call with one error', options, () => {
  const profile: RuntimeSeccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { names: ['chown', 'not_a_call'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 },
      {
        names: ['personality'],
        action: 'SCMP_ACT_KILL_PROCESS',
        args: [
          { index: 0, value: 7, op: 'SCMP_CMP_EQ' },
          { index: 0, value: 9, op: 'SCMP_CMP_EQ' },
        ],
      },
    ],
  }
  const filter = compileSeccomp(profile, 'x64')
  assert.equal(run(filter, { nr: 92 }), errno(13))
  assert.equal(run(filter, { nr: 480 }), ALLOW)
  assert.equal(run(filter, { nr: 135, args: [7] }), 0x80000000)
  assert.equal(run(filter, { nr: 135, args: [9] }), 0x80000000)
  assert.equal(run(filter, { nr: 135, args: [8] }), ALLOW)
})

const PROFILES: readonly [what: string, profile: RuntimeSeccomp][] = [
  ['the default', defaultSeccomp(subject)],
  ['that of a privileged user', defaultSeccomp({ ...subject, capabilities: ['CAP_SYS_ADMIN'] })],
  ['one that denies', { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [denied('chown', 'read')] }],
  ['one without rules', { defaultAction: 'SCMP_ACT_ERRNO' }],
]
for (const [what, profile] of PROFILES) {
  test(`a compact filter answers as the one that it is made of: ${what}`, options, () => {
    const long = spelledOutFilter(profile, 'x64', true)
    const short = compactFilter(long)
    for (const call of callsAround(long)) {
      assert.equal(run(short, call), run(long, call), JSON.stringify(call, bigintText))
    }
  })
}

test('the default filter is a third of what it is made of', options, () => {
  const profile = defaultSeccomp(subject)
  const { length } = spelledOutFilter(profile, 'x64', true)
  assert.ok(compileSeccomp(profile, 'x64').length < length / 3)
})

test('a filter that is not understood stays as it is', () => {
  const [LOAD_LENGTH, RETURN_ACCUMULATOR] = [0x80, 0x16]
  const filter = Buffer.alloc(16)
  filter.writeUInt16LE(LOAD_LENGTH, 0)
  filter.writeUInt16LE(RETURN_ACCUMULATOR, 8)
  assert.equal(compactFilter(filter), filter)
})

function denied(...names: string[]): NonNullable<RuntimeSeccomp['syscalls']>[number] {
  return { names, action: 'SCMP_ACT_ERRNO', errnoRet: 13 }
}

/** Every number that a filter speaks of and its neighbours, in each architecture, with a choice of arguments. */
function* callsAround(filter: Buffer): Generator<{ nr: number; arch: number; args: bigint[] }> {
  const constants = new Set([0, 0xffffffff])
  for (let at = 0; at < filter.length; at += 8) {
    const k = filter.readUInt32LE(at + 4)
    for (const near of [k - 1, k, k + 1]) if (near >= 0 && near < 2 ** 32) constants.add(near)
  }
  const args = [0n, 1n, 8n, 16n, 38n, 0x10000000n, 0x20000n, 0x7e020000n, 0xffffffffn, 1n << 40n]
  for (const arch of [AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_I386 + 1, 0]) {
    for (const nr of constants) for (const arg of args) yield { nr, arch, args: [arg, arg] }
  }
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

const BAD: readonly [profile: RuntimeSeccomp, message: RegExp][] = [
  [{ defaultAction: 'SCMP_ACT_NOTIFY' }, /SCMP_ACT_NOTIFY\) is not supported/],
  [{ defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: '/x' }, /not supported/],
  [{ defaultAction: 'bogus' as 'SCMP_ACT_LOG' }, /unknown action bogus/],
  [{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_VAX'] }, /unknown architecture/],
  [
    {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        {
          names: ['read'],
          action: 'SCMP_ACT_KILL',
          args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }],
        },
      ],
    },
    /arguments 0 to 5/,
  ],
]
for (const [profile, message] of BAD) {
  test(`a profile is refused: ${message.source}`, () => {
    assert.throws(() => compileSeccomp(profile), { code: 'INVALID_ARGUMENT', message })
  })
}

test('filter flags have their numbers, and speculation is left alone by default', () => {
  assert.equal(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW' }), 4)
  assert.equal(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', flags: [] }), 0)
  const flags = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_TSYNC']
  assert.equal(seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', flags }), 2)
  assert.throws(() => seccompFlags({ defaultAction: 'SCMP_ACT_ALLOW', flags: ['x'] }))
})
