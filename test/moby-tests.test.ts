import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

/** What moby's own tests have found, as its users meet it. */
const skip = requires({ root: true })

describe('as dockerd, by its own tests', { skip }, () => {
  let daemon: TestDaemon
  before(async () => {
    daemon = await startDaemon()
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })

  const disconnect = (network: string, container: string, Force = false) =>
    daemon.request('POST', `/networks/${network}/disconnect`, { Container: container, Force })

  test('a stopped container leaves a network that is no more, and starts again', async () => {
    for (const name of ['gone', 'other']) await daemon.ok(['network', 'create', name])
    await daemon.ok(['create', '--name', 'left', '--network', 'gone', 'busybox', 'sleep', '600'])
    await daemon.ok(['network', 'connect', 'other', 'left'])
    for (const name of ['gone', 'other']) await daemon.ok(['network', 'rm', name])
    assert.equal((await daemon.request('POST', '/containers/left/start')).status, 404)
    for (const name of ['gone', 'other']) assert.equal((await disconnect(name, 'left')).status, 200)
    const again = await disconnect('gone', 'left', true)
    assert.match(again.text, /is not connected to the network gone/)
    await daemon.ok(['network', 'connect', 'bridge', 'left'])
    await daemon.ok(['start', 'left'])
    const { NetworkSettings } = (await daemon.request('GET', '/containers/left/json')).json() as {
      NetworkSettings: { Networks: object }
    }
    assert.deepEqual(Object.keys(NetworkSettings.Networks), ['bridge'])
    assert.equal((await disconnect('gone', 'left')).status, 404)
    await daemon.ok(['rm', '-f', 'left'])
  })

  test('a link to a container that is not on the default network is refused', async () => {
    await daemon.ok(['network', 'create', 'elsewhere'])
    await daemon.ok([
      'run',
      '-d',
      '--name',
      'far',
      '--network',
      'elsewhere',
      'busybox',
      'sleep',
      '600',
    ])
    await daemon.ok(['create', '--name', 'linked', '--link', 'far:it', 'busybox', 'true'])
    const refused = await daemon.request('POST', '/containers/linked/start')
    assert.match(refused.text, /Cannot link to \/far, as it does not belong to the default network/)
    await daemon.ok(['network', 'connect', 'bridge', 'far'])
    await daemon.ok(['start', 'linked'])
    await daemon.ok(['rm', '-f', 'far', 'linked'])
    await daemon.ok(['network', 'rm', 'elsewhere'])
  })

  test('the root of the host in a container follows its mounts, where it has any to follow', async () => {
    await daemon.ok(['create', '--name', 'host', '-v', '/:/host:ro', 'busybox', 'ls', '/host/proc'])
    const { Mounts } = (await daemon.request('GET', '/containers/host/json')).json() as {
      Mounts: { Propagation: string }[]
    }
    assert.equal(Mounts[0]?.Propagation, 'rslave')
    await daemon.ok(['start', '-a', 'host'])
    await daemon.ok(['rm', 'host'])
  })
})
