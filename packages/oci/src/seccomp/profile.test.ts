import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_CAPABILITIES } from '../capabilities.ts'
import type { RuntimeSeccomp, SeccompRule } from '../runtime-spec.ts'
import { DEFAULT_SECCOMP_PROFILE, defaultSeccomp } from './default-profile.ts'
import { parseSeccompProfile, resolveSeccomp } from './profile.ts'

const subject = { capabilities: DEFAULT_CAPABILITIES, arch: 'x64', kernel: { major: 6, minor: 1 } }

function rulesFor(profile: RuntimeSeccomp, name: string): SeccompRule[] {
  return (profile.syscalls ?? []).filter((rule) => rule.names.includes(name))
}

test('the default profile denies what is not named, with EPERM', () => {
  const profile = defaultSeccomp(subject)
  assert.equal(profile.defaultAction, 'SCMP_ACT_ERRNO')
  assert.equal(profile.defaultErrnoRet, 1)
  const denied = ['unshare', 'mount', 'setns', 'io_uring_setup', 'keyctl', 'bpf', 'kexec_load']
  for (const name of denied) assert.deepEqual(rulesFor(profile, name), [], name)
})

test('clone3 answers ENOSYS unless the container may make namespaces', () => {
  const [rule] = rulesFor(defaultSeccomp(subject), 'clone3')
  assert.deepEqual([rule?.action, rule?.errnoRet], ['SCMP_ACT_ERRNO', 38])
  const admin = { ...subject, capabilities: ['CAP_SYS_ADMIN'] }
  const rules = rulesFor(defaultSeccomp(admin), 'clone3')
  assert.deepEqual(
    rules.map((one) => one.action),
    ['SCMP_ACT_ALLOW'],
  )
})

test('clone may not make namespaces', () => {
  const [rule, ...others] = rulesFor(defaultSeccomp(subject), 'clone')
  assert.deepEqual(others, [])
  assert.deepEqual(rule?.args, [
    { index: 0, value: 2114060288, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' },
  ])
})

test('capabilities of the bounding set allow their calls', () => {
  const names = (capability: string): boolean =>
    rulesFor(defaultSeccomp({ ...subject, capabilities: [capability] }), 'reboot').length > 0
  assert.ok(names('CAP_SYS_BOOT'))
  assert.ok(!names('CAP_SYS_TIME'))
})

test('architectures and kernels choose rules', () => {
  assert.equal(rulesFor(defaultSeccomp(subject), 'arch_prctl').length, 1)
  assert.equal(rulesFor(defaultSeccomp({ ...subject, arch: 'arm64' }), 'arch_prctl').length, 0)
  assert.deepEqual(defaultSeccomp({ ...subject, arch: 'arm64' }).architectures, [
    'SCMP_ARCH_AARCH64',
    'SCMP_ARCH_ARM',
  ])
  const old = { ...subject, kernel: { major: 4, minor: 4 } }
  assert.equal(rulesFor(defaultSeccomp(old), 'ptrace').length, 0)
  assert.equal(rulesFor(defaultSeccomp(subject), 'ptrace').length, 1)
})

test('the default profile reads back from JSON as itself', () => {
  const parsed = parseSeccompProfile(JSON.stringify(DEFAULT_SECCOMP_PROFILE))
  const strip = (profile: RuntimeSeccomp): unknown =>
    JSON.parse(
      JSON.stringify(profile, (key, value) =>
        key === 'args' && value?.length === 0 ? undefined : value,
      ),
    )
  assert.deepEqual(strip(resolveSeccomp(parsed, subject)), strip(defaultSeccomp(subject)))
})

const BAD: readonly [text: string, message: RegExp][] = [
  ['', /decoding seccomp profile failed/],
  ['[]', /json: cannot unmarshal array into Go value of type seccomp.Seccomp$/],
  ['{}', /action missing/],
  [
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}',
    /json: cannot unmarshal object into Go struct field Seccomp.syscalls of type \[\]\*seccomp.Syscall$/,
  ],
  [
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[1],"action":"x"}]}',
    /json: cannot unmarshal number into Go struct field Seccomp.names of type string$/,
  ],
  [
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"x"}]}',
    /both 'name' and 'names'/,
  ],
  [
    '{"defaultAction":"x","architectures":["a"],"archMap":[{"architecture":"b"}]}',
    /both 'architectures' and 'archMap'/,
  ],
  ['{"defaultAction":"x","defaultErrnoRet":-1}', /defaultErrnoRet is not a number/],
]
for (const [text, message] of BAD) {
  test(`profile ${text.slice(0, 50)} is refused`, () => {
    assert.throws(() => parseSeccompProfile(text), message)
  })
}
