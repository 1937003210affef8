import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultDeviceRules, type RuntimeDeviceRule } from '@ctr/oci'
import {
  ACCESS_MKNOD,
  ACCESS_READ,
  ACCESS_WRITE,
  devicePolicy,
  deviceProgramV2,
  deviceWritesV1,
} from './devices.ts'

interface Request {
  type: 'b' | 'c'
  major: number
  minor: number
  access: number
}

/** Runs the few instructions that a device program is made of, as the kernel would. */
function run(program: Uint8Array, { type, major, minor, access }: Request): number {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const context = [(access << 16) | (type === 'b' ? 1 : 2), major, minor]
  const r = Array.from({ length: 11 }, () => 0)
  for (let pc = 0; pc * 8 < program.length; pc++) {
    const code = view.getUint8(pc * 8)
    const dst = view.getUint8(pc * 8 + 1) & 15
    const src = view.getUint8(pc * 8 + 1) >> 4
    const offset = view.getInt16(pc * 8 + 2, true)
    const immediate = view.getInt32(pc * 8 + 4, true)
    if (code === 0x61) r[dst] = context[offset / 4] ?? assert.fail('read outside the context')
    else if (code === 0xbc) r[dst] = r[src] ?? 0
    else if (code === 0x54) r[dst] = (r[dst] ?? 0) & immediate
    else if (code === 0x74) r[dst] = (r[dst] ?? 0) >>> immediate
    else if (code === 0xb7) r[dst] = immediate
    else if (code === 0x15) pc += r[dst] === immediate ? offset : 0
    else if (code === 0x55) pc += r[dst] === immediate ? 0 : offset
    else if (code === 0x95) return r[0] ?? 0
    else assert.fail(`instruction ${code.toString(16)}`)
  }
  return assert.fail('fell off the end')
}

function allows(rules: readonly RuntimeDeviceRule[], text: string): boolean {
  const [type = 'c', numbers = '', access = ''] = text.split(' ')
  const [major = 0, minor = 0] = numbers.split(':').map(Number)
  const bits =
    (access.includes('m') ? ACCESS_MKNOD : 0) |
    (access.includes('r') ? ACCESS_READ : 0) |
    (access.includes('w') ? ACCESS_WRITE : 0)
  const request = { type: type === 'b' ? 'b' : 'c', major, minor, access: bits } as const
  return run(deviceProgramV2(devicePolicy(rules)), request) === 1
}

test('the default policy opens its nodes and terminals, makes any node and opens no other', () => {
  const rules = defaultDeviceRules()
  const allowed = [
    'c 1:3 rwm',
    'c 1:9 r',
    'c 5:0 rw',
    'c 5:2 rw',
    'c 136:77 rw',
    'b 8:0 m',
    'c 10:229 m',
  ]
  const denied = ['b 8:0 r', 'b 8:0 rm', 'c 10:229 rw', 'c 1:1 r', 'c 1:11 w', 'b 1:3 r']
  for (const one of allowed) assert.ok(allows(rules, one), one)
  for (const one of denied) assert.ok(!allows(rules, one), one)
})

test('an added device has exactly the access that was given', () => {
  const rules = defaultDeviceRules({
    extra: [{ allow: true, type: 'c', major: 1, minor: 11, access: 'r' }],
  })
  assert.ok(allows(rules, 'c 1:11 r'))
  assert.ok(!allows(rules, 'c 1:11 rw'))
  assert.ok(!allows(rules, 'c 1:11 w'))
})

test('a privileged container opens everything but what is denied by name', () => {
  const rules = defaultDeviceRules({
    isPrivileged: true,
    extra: [{ allow: false, type: 'b', major: 8, access: 'w' }],
  })
  assert.ok(allows(rules, 'c 10:229 rwm'))
  assert.ok(allows(rules, 'b 8:1 r'))
  assert.ok(!allows(rules, 'b 8:1 rw'))
  assert.ok(allows(rules, 'b 9:1 rw'))
})

test('rules apply in order and the last word on all devices starts anew', () => {
  assert.ok(!allows([{ allow: true, access: 'rwm' }, { allow: false }], 'c 1:3 r'))
  assert.ok(allows([{ allow: false }, { allow: true }], 'c 1:3 r'))
  const withdrawn: RuntimeDeviceRule[] = [
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
    { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
  ]
  assert.ok(allows(withdrawn, 'c 1:3 r'))
  assert.ok(!allows(withdrawn, 'c 1:3 w'))
})

test('no rules mean that nothing is allowed', () => {
  assert.ok(!allows([], 'c 1:3 r'))
})

test('v1 gets the same policy as writes', () => {
  const rules: RuntimeDeviceRule[] = [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 136, minor: -1 },
  ]
  assert.deepEqual(deviceWritesV1(devicePolicy(rules)), [
    { file: 'devices.deny', value: 'a' },
    { file: 'devices.allow', value: 'c *:* m' },
    { file: 'devices.allow', value: 'c 1:3 rwm' },
    { file: 'devices.allow', value: 'c 136:* rwm' },
  ])
  assert.deepEqual(deviceWritesV1(devicePolicy([{ allow: true }])), [
    { file: 'devices.allow', value: 'a' },
  ])
})

test('rules that no controller can keep are refused', () => {
  assert.throws(() => devicePolicy([{ allow: true, type: 'c', access: 'rx' }]), RangeError)
})

test('a rule for all types with a number is one for each type', () => {
  const none: RuntimeDeviceRule = { allow: false, access: 'rwm' }
  const rules = [none, { allow: true, type: 'a', major: 7, access: 'rw' }] as const
  assert.ok(allows(rules, 'b 7:3 rw'))
  assert.ok(allows(rules, 'c 7:0 r'))
  assert.ok(!allows(rules, 'b 7:3 m'))
  assert.ok(!allows(rules, 'c 8:0 r'))
})
