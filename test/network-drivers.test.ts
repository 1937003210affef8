import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { requires, run, startDaemon, type TestDaemon } from '@ctr/testkit'

/** Networks of the driver macvlan, as users of both clients meet them. What the kernel does with their links: packages/network/test/lan.test.ts */
const skip = requires({ root: true, commands: ['ip', 'docker'] })

describe('a macvlan network', { skip }, () => {
  let daemon: TestDaemon
  before(async () => {
    daemon = await startDaemon({ isIsolated: true })
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })
  const inspect = async (format: string): Promise<string> =>
    await daemon.ok(['network', 'inspect', '-f', format, 'lan'])
  /** In the daemon's network namespace. */
  const onHost = async (...command: string[]): Promise<string> => {
    const { stdout } = await run(['nsenter', '-t', `${daemon.pid}`, '-n', ...command])
    return stdout
  }

  test('is created, shown and listed by both clients', async () => {
    await daemon.ok(['network', 'create', '-d', 'macvlan', '--subnet', '10.77.0.0/24', 'lan'])
    assert.equal(await inspect('{{.Driver}} {{json .Options}} {{.Internal}}'), 'macvlan {} false')
    // As dockerd 28: a gateway is one that the user has named.
    assert.equal(await inspect('{{json .IPAM.Config}}'), '[{"Subnet":"10.77.0.0/24"}]')
    const listed = await daemon.docker([
      'network',
      'ls',
      '-f',
      'driver=macvlan',
      '-q',
      '--no-trunc',
    ])
    assert.equal(listed.stdout.trim(), await inspect('{{.Id}}'))
    const info = await daemon.docker(['info', '-f', '{{json .Plugins.Network}}'])
    assert.equal(info.stdout.trim(), '["bridge","host","ipvlan","macvlan","null"]')
    const second = ['network', 'create', '-d', 'macvlan', '-o', 'parent=nope', 'other']
    const refused = await daemon.docker(second)
    assert.equal(refused.code, 1)
    assert.match(
      refused.stderr,
      /invalid subinterface vlan name nope, example formatting is eth0\.10/,
    )
    const unknown = await daemon.docker(['network', 'inspect', 'other'])
    assert.equal(unknown.code, 1, 'nothing is left of it')
  })

  test('has containers with addresses of it, also over the death of the daemon', async () => {
    const flags = ['--network', 'lan', '--ip', '10.77.0.9', '-p', '8080:80']
    await daemon.ok(['run', '-d', '--name', 'one', ...flags, 'busybox', 'sleep', '600'])
    await daemon.ok(['run', '-d', '--name', 'two', '--network', 'lan', 'busybox', 'sleep', '600'])
    const networks = '{{.NetworkSettings.Networks.lan.IPAddress}} {{json .NetworkSettings.Ports}}'
    assert.equal(await daemon.ok(['inspect', '-f', networks, 'one']), '10.77.0.9 {}')
    const reach = async (): Promise<void> => {
      // By its name, which the engine answers in the container.
      await daemon.ok(['exec', 'two', 'ping', '-c', '1', '-W', '20', 'one'])
    }
    await reach()
    await daemon.ok(['network', 'disconnect', 'lan', 'one'])
    assert.doesNotMatch(await daemon.ok(['exec', 'one', 'ip', 'link']), /eth0/)
    await daemon.ok(['network', 'connect', '--ip', '10.77.0.9', 'lan', 'one'])
    await reach()
    // The next one has another network namespace here: the containers go on in theirs.
    await daemon.kill9()
    await daemon.restart()
    await reach()
  })

  test('of the driver ipvlan says so where the kernel has none', async () => {
    await daemon.ok(['network', 'create', '-d', 'ipvlan', '--subnet', '10.78.0.0/24', 'ip'])
    const { code, stderr } = await daemon.ctr(['run', '--rm', '--network', 'ip', 'busybox', 'true'])
    if (code !== 0)
      assert.match(stderr, /failed to create the ipvlan port: operation not supported/)
    await daemon.ok(['network', 'rm', 'ip'])
  })

  test('goes with its link when it is removed', async () => {
    const link = `dm-${(await inspect('{{.Id}}')).slice(0, 12)}`
    assert.match(await onHost('ip', 'link', 'show', link), /alias ctr /)
    const used = await daemon.ctr(['network', 'rm', 'lan'])
    assert.match(used.stderr, /has active endpoints/)
    await daemon.ok(['rm', '-f', 'one', 'two'])
    await daemon.ok(['network', 'rm', 'lan'])
    assert.equal(await onHost('ip', 'link', 'show', link), '')
  })
})
