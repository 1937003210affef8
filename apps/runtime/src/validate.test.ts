import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { RuntimeSpec } from '@ctr/oci'
import { defaultConfig } from './default-config.ts'
import { checkSpec } from './validate.ts'

const base = defaultConfig({ isRootless: false })
const linux = (changes: object): RuntimeSpec => ({ ...base, linux: { ...base.linux, ...changes } })
const process = (changes: object): RuntimeSpec =>
  ({ ...base, process: { ...base.process, ...changes } }) as RuntimeSpec

it('accepts the default', () => checkSpec(base))

it('refuses what would change the host or cannot be', () => {
  const cases: [unknown, RegExp][] = [
    [null, /not an object/],
    [{ ...base, process: undefined }, /process property must not be empty/],
    [process({ args: [] }), /args must not be empty/],
    [process({ args: 'sh' }), /process.args is not a list/],
    [process({ args: ['a\0b'] }), /must be strings/],
    [process({ args: [1] }), /must be strings/],
    [process({ cwd: '' }), /Cwd property must not be empty/],
    [process({ cwd: 'x' }), /Cwd must be an absolute path/],
    [
      process({ rlimits: [{ type: 'RLIMIT_FOO', soft: 1, hard: 1 }] }),
      /wrong rlimit value: RLIMIT_FOO/,
    ],
    [{ ...base, mounts: [{}] }, /a mount without a destination/],
    [linux({ namespaces: [{ type: 'mount' }] }), /unable to set hostname/],
    [
      linux({ uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }),
      /USER namespace isn't enabled/,
    ],
    [
      linux({ sysctl: { 'kernel.panic': '1' } }),
      /"kernel.panic" is not in a separate kernel namespace/,
    ],
    [linux({ sysctl: { 'kernel/panic': '1' } }), /is not in a separate kernel namespace/],
    [linux({ sysctl: { 'kernel.hostname': 'x' } }), /conflicts with the OCI spec/],
    [
      { ...linux({ namespaces: [{ type: 'mount' }], sysctl: { 'net.x': '1' } }), hostname: '' },
      /"net.x" not allowed in host network namespace/,
    ],
    [
      {
        ...linux({ namespaces: [{ type: 'mount' }], sysctl: { 'fs.mqueue.x': '1' } }),
        hostname: '',
      },
      /not allowed in the hosts ipc namespace/,
    ],
    [linux({ intelRdt: {} }), /intelRdt is specified in config, but/],
    [
      linux({ netDevices: { eth9: {} }, namespaces: [{ type: 'mount' }, { type: 'uts' }] }),
      /unable to move network devices without a NET namespace/,
    ],
  ]
  for (const [spec, text] of cases) assert.throws(() => checkSpec(spec as RuntimeSpec), text)
})

it('accepts what is there and empty', () => {
  checkSpec(linux({ netDevices: {}, memoryPolicy: null, intelRdt: null }))
})

it('accepts sysctls of the namespaces that the container has', () => {
  checkSpec(
    linux({
      sysctl: { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '5' },
    }),
  )
  checkSpec(linux({ sysctl: { 'net/ipv4/conf/eth0.100/forwarding': '1' } }))
})
