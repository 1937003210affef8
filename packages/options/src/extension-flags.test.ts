import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { machineWith } from './client-machine-fixture.ts'
import { CONTAINER_FLAGS } from './container-flags.ts'
import { containerRequest } from './container-request.ts'
import { parseRestartDelay } from './extension-flags.ts'
import { FlagValues } from './flag.ts'
import { parseSecret } from './secret.ts'

function request(
  given: readonly (readonly [string, string])[],
  args: readonly string[] = ['busybox', 'true'],
): ReturnType<typeof containerRequest> {
  const flags = new FlagValues(CONTAINER_FLAGS)
  for (const [name, value] of given) {
    const flag = CONTAINER_FLAGS.find((one) => one.name === name)
    assert.ok(flag !== undefined, name)
    flag.check?.(value)
    flags.add(flag, value)
  }
  return containerRequest({
    flags,
    args,
    machine: machineWith(),
    defaultPlatform: undefined,
    consoleSize: undefined,
    isDetached: true,
  })
}

describe('options that Docker does not have', () => {
  it('leave no trace when they are not given', () => {
    const { body, replace } = request([])
    assert.equal(replace, false)
    for (const name of [
      'HealthOnFailure',
      'Requires',
      'RunTimeout',
      'Rootfs',
      'CgroupConf',
      'Secrets',
    ]) {
      assert.equal(name in body.HostConfig, false, name)
    }
    assert.deepEqual(body.HostConfig.RestartPolicy, { Name: 'no', MaximumRetryCount: 0 })
  })

  it('become fields of the host config', () => {
    const { body, replace } = request([
      ['replace', 'true'],
      ['name', 'web'],
      ['requires', 'db:healthy,cache'],
      ['timeout', '5'],
      ['health-on-failure', 'kill'],
      ['cgroup-conf', 'memory.high=1'],
      ['secret', 'db,type=env,target=DB'],
      ['restart', 'always'],
      ['restart-delay', '1s,1m,1.5'],
      ['network', 'ns:/proc/1/ns/net'],
    ])
    const { HostConfig: host } = body
    assert.equal(replace, true)
    assert.deepEqual(host.Requires, ['db:healthy', 'cache'])
    assert.equal(host.RunTimeout, 5)
    assert.equal(host.HealthOnFailure, 'kill')
    assert.deepEqual(host.CgroupConf, { 'memory.high': '1' })
    assert.deepEqual(host.Secrets, [{ Source: 'db', Type: 'env', Target: 'DB' }])
    assert.deepEqual(host.RestartPolicy, {
      Name: 'always',
      MaximumRetryCount: 0,
      MinimumDelay: 1e9,
      MaximumDelay: 60e9,
      DelayFactor: 150,
    })
    assert.equal(host.NetworkMode, 'ns:/proc/1/ns/net')
    assert.deepEqual(body.NetworkingConfig?.EndpointsConfig, {})
  })

  it('with --rootfs all arguments are the command', () => {
    const { body } = request([['rootfs', '/srv/root/:O']], ['sh', '-c', 'id'])
    assert.equal(body.Image, '')
    assert.deepEqual(body.Cmd, ['sh', '-c', 'id'])
    assert.equal(body.HostConfig.Rootfs, '/srv/root:O')
  })

  it('are refused when they make no sense', () => {
    assert.throws(() => request([['replace', 'true']]), /without --name/)
    assert.throws(() => request([['timeout', '-1']]), /cannot be negative/)
    assert.throws(() => request([['cgroup-conf', 'x']]), /file=value/)
    for (const text of ['', 'x', '1s,2s,0.5', '1s,2s,3,4', '-1s', '1s,x']) {
      assert.throws(() => parseRestartDelay(text), Error, text)
    }
  })
})

describe('--secret', () => {
  it('reads name, type, target, owner and mode', () => {
    assert.deepEqual(parseSecret('db'), { Source: 'db' })
    assert.deepEqual(parseSecret('source=db,target=/etc/x,uid=1,gid=2,mode=0400'), {
      Source: 'db',
      Target: '/etc/x',
      UID: 1,
      GID: 2,
      Mode: 0o400,
    })
  })
  for (const text of ['', 'target=x', 'db,x', 'db,x=1', 'db,type=y', 'db,uid=a', 'db,mode=9']) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseSecret(text)))
  }
})
