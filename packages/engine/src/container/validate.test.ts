import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ContainerConfig, HostConfig } from '@ctr/api'
import type { HostFacts } from '@ctr/linux'
import { parseLogSettings } from './log-options.ts'
import { parseSecurityOptions } from './security-options.ts'
import { validateContainer } from './validate.ts'

const FACTS: HostFacts = {
  cgroups: { mode: 'hybrid', hierarchies: [] },
  lastCapability: 40,
  heldCapabilities: 2n ** 41n - 1n,
  kernel: { major: 6, minor: 18 },
  arch: 'x64',
  hasSwapAccounting: true,
  onlineCpus: '0-1',
  onlineMems: '0',
  hasRealtimeGroups: false,
  hasBlockIoWeight: true,
  appArmor: false,
  seLinux: false,
  hasKcore: true,
  rootIsRamfs: false,
}
const MiB = 1024 * 1024

const check = (hostConfig: HostConfig, config: ContainerConfig = {}): string[] =>
  validateContainer(config, hostConfig, { facts: FACTS, cpuCount: 2 })

const REFUSED: readonly (readonly [HostConfig, RegExp])[] = [
  [{ Memory: 4 * MiB }, /Minimum memory limit allowed is 6MB$/],
  [{ Memory: -1 }, /Minimum memory limit allowed is 6MB/],
  [{ Memory: 50 * MiB, MemorySwap: 20 * MiB }, /Minimum memoryswap limit should be larger/],
  [{ MemorySwap: 50 * MiB }, /You should always set the Memory limit when using Memoryswap/],
  [{ Memory: 20 * MiB, MemoryReservation: 30 * MiB }, /can not be less than memory reservation/],
  [{ MemorySwappiness: 101 }, /valid memory swappiness range is 0-100/],
  [{ NanoCpus: 3e9 }, /range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available/],
  [{ NanoCpus: 1e9, CpuPeriod: 5000 }, /Nano CPUs and CPU Period cannot both be set/],
  [{ CpuPeriod: 999 }, /CPU cfs period can not be less than 1ms/],
  [{ CpuQuota: 10 }, /CPU cfs quota can not be less than 1ms/],
  [{ CpusetCpus: '999' }, /Requested CPUs are not available - requested 999, available: 0-1/],
  [{ CpusetCpus: '1-' }, /Invalid value 1- for cpuset cpus: invalid format: 1-$/],
  [{ CpuShares: -1 }, /invalid CPU shares \(-1\): value must be a positive integer$/],
  [{ CpusetMems: '5' }, /Requested memory nodes are not available/],
  [{ BlkioWeight: 5 }, /Range of blkio weight is from 10 to 1000/],
  [{ ShmSize: -1 }, /SHM size can not be less than 0/],
  [{ OomScoreAdj: 1001 }, /range for oom score adj is \[-1000, 1000\]/],
  [{ RestartPolicy: { Name: 'sometimes' } }, /unknown policy 'sometimes'/],
  [{ RestartPolicy: { Name: 'always', MaximumRetryCount: 1 } }, /only be used with 'on-failure'/],
  [{ AutoRemove: true, RestartPolicy: { Name: 'always' } }, /can't create 'AutoRemove' container/],
  [{ CapAdd: ['BOGUS'] }, /invalid CapAdd: unknown capability: "CAP_BOGUS"/],
  [{ Ulimits: [{ Name: 'bogus', Soft: 1, Hard: 1 }] }, /invalid ulimit type: bogus/],
  [{ Ulimits: [{ Name: 'nofile', Soft: 2, Hard: 1 }] }, /must be less than or equal to hard/],
  [{ ExtraHosts: ['nocolon'] }, /bad format for add-host: "nocolon"/],
  [{ ExtraHosts: ['a:1.2.3'] }, /invalid IP address in add-host: "1.2.3"/],
  [{ PortBindings: { 'a/tcp': [] } }, /invalid port specification/],
  [{ PortBindings: { '80/tcp': [{ HostPort: '99999' }] } }, /invalid port specification: "99999"/],
  [{ PortBindings: { '80/bogus': [] } }, /invalid proto: bogus/],
  [{ IpcMode: 'nope' }, /invalid IPC mode: nope/],
  [{ PidMode: 'nope' }, /invalid PID mode: nope/],
  [{ UTSMode: 'nope' }, /invalid UTS mode: nope/],
  [{ Sysctls: { nonsense: '1' } }, /sysctl "nonsense" is not in a separate kernel namespace/],
  [{ Sysctls: { 'kernel.panic': '1' } }, /not in a separate kernel namespace/],
  [{ Sysctls: { 'net.core.x': '1' }, NetworkMode: 'host' }, /not allowed in host network/],
  [{ Tmpfs: { rel: '' } }, /mount path must be absolute/],
  [{ NetworkMode: 'container:' }, /invalid container format container:<name\|id>/],
  [{ NetworkMode: 'container:x', Dns: ['1.1.1.1'] }, /conflicting options: dns and the network/],
  [{ NetworkMode: 'container:x', PublishAllPorts: true }, /port publishing and the container type/],
  [{ Runtime: 'kata' }, /unknown or invalid runtime name: kata/],
]

describe('validation', () => {
  for (const [hostConfig, words] of REFUSED) {
    test(`${JSON.stringify(hostConfig)} is refused`, () => {
      assert.throws(() => check(hostConfig), words)
    })
  }

  test('hostname conflicts with shared namespaces', () => {
    assert.throws(
      () => check({ UTSMode: 'host' }, { Hostname: 'x' }),
      /conflicting options: hostname and the UTS mode/,
    )
    assert.throws(
      () => check({ NetworkMode: 'container:x' }, { Hostname: 'x' }),
      /conflicting options: hostname and the network mode/,
    )
  })

  test('config: directory, environment, stop signal, host name, health check', () => {
    assert.throws(() => check({}, { WorkingDir: 'rel' }), /the working directory 'rel' is invalid/)
    for (const variable of ['', '=x', 'a=\0']) {
      assert.throws(() => check({}, { Env: [variable] }), /invalid environment variable/)
    }
    assert.throws(() => check({}, { StopSignal: 'SIGNOPE' }), /invalid signal: SIGNOPE/)
    assert.throws(() => check({}, { Hostname: 'a\nb' }), /invalid hostname/)
    for (const ports of ['', '-1', '90-', '9-8', '1-2-3', '1-65536/tcp', '80/tcp/x']) {
      assert.throws(
        () => check({}, { ExposedPorts: { [ports]: {} } }),
        /invalid port specification/,
      )
    }
    assert.deepEqual(
      check({}, { ExposedPorts: { '9010-9012/tcp': {}, '53/udp': {}, '80': {} } }),
      [],
    )
    assert.throws(() => check({}, { Healthcheck: { Interval: 5 } }), /cannot be less than 1ms/)
  })

  test('what is good passes', () => {
    assert.deepEqual(
      check({
        Memory: 6 * MiB,
        MemorySwap: -1,
        NanoCpus: 2e9,
        CpusetCpus: '0,1',
        PortBindings: { '80/tcp': [{ HostPort: '8000-8010', HostIp: '::1' }], '53/udp': [{}] },
        ExtraHosts: ['db:10.1.2.3', 'gw=host-gateway', 'six:[::1]'],
        CapAdd: ['all', 'NET_ADMIN'],
        Sysctls: { 'net.ipv4.ip_forward': '0', 'kernel.shmmax': '1' },
      }),
      [],
    )
  })

  test('log options', () => {
    const parse = (Type: string, Config: Record<string, string>): unknown =>
      parseLogSettings({ Labels: { a: '1' } }, { LogConfig: { Type, Config } })
    assert.deepEqual(parse('json-file', {}), {
      maxBytes: 10 * 1024 * 1024,
      maxFiles: 3,
      compress: false,
      extra: '',
    })
    assert.deepEqual(parse('json-file', { 'max-size': '10m', 'max-file': '2', labels: 'a,b' }), {
      maxBytes: 10_000_000,
      maxFiles: 2,
      compress: false,
      extra: ',"attrs":{"a":"1"}',
    })
    assert.equal(parse('none', {}), undefined)
    assert.throws(() => parse('bogus', {}), /plugin "bogus" not found/)
    assert.throws(
      () => parse('json-file', { compress: 'true', 'max-file': '1' }),
      /compress cannot be true/,
    )
    assert.throws(() => parse('json-file', { x: 'y' }), /unknown log opt 'x' for json-file/)
    assert.throws(() => parse('json-file', { 'max-file': '0' }), /max-file cannot be less than 1/)
    assert.throws(() => parse('json-file', { 'max-size': 'big' }), /invalid size: 'big'/)
  })

  test('security options', () => {
    const parse = (...options: string[]): ReturnType<typeof parseSecurityOptions> =>
      parseSecurityOptions(options, { noNewPrivileges: false })
    assert.equal(parse('no-new-privileges').noNewPrivileges, true)
    assert.equal(parse('no-new-privileges=false').noNewPrivileges, false)
    assert.equal(parse('seccomp=unconfined').seccomp.kind, 'unconfined')
    assert.equal(parse('apparmor=p').apparmorProfile, 'p')
    assert.throws(() => parse('bogus'), /invalid --security-opt 1: "bogus"/)
    assert.throws(() => parse('a=b'), /invalid --security-opt 2: "a=b"/)
    assert.throws(() => parse('seccomp={broken'), /Decoding seccomp profile failed/)
  })
})
