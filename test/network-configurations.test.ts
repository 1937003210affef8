import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { checkResult, inBusybox, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true, commands: ['nft', 'ip'] })
const ctrd = useDaemon()

test('a network that is made of a configuration has its subnet and its MTU; nothing can be on the configuration', {
  skip,
}, async () => {
  const mtu = 'com.docker.network.driver.mtu=1400'
  const kept = ['--config-only', '--subnet', '10.97.3.0/24', '-o', mtu, 'kept']
  await ctrd().ok(['network', 'create', ...kept])
  await ctrd().ok(['network', 'create', '--config-from', 'kept', 'made'])
  await ctrd().restart()
  const shown = '{{.ConfigFrom.Network}} {{.ConfigOnly}} {{(index .IPAM.Config 0).Subnet}}'
  assert.equal(
    await ctrd().ok(['network', 'inspect', '-f', shown, 'made']),
    'kept false 10.97.3.0/24',
  )
  assert.equal(
    await ctrd().ok(['network', 'inspect', '-f', '{{.ConfigOnly}} {{.Driver}}', 'kept']),
    'true null',
  )
  const script = 'ip -o -4 addr show eth0; cat /sys/class/net/eth0/mtu'
  const out = await inBusybox(ctrd(), script, ['--network', 'made'])
  assert.match(out, /inet 10\.97\.3\.2\/24 /)
  assert.match(out, /^1400$/m)
  const refused = { code: 125, stderr: /cannot create endpoint on configuration-only network/ }
  checkResult(refused, await ctrd().ctr(['run', '--rm', '--network', 'kept', 'busybox', 'true']))
  const inUse = { code: 1, stderr: /configuration network "kept" is in use/ }
  checkResult(inUse, await ctrd().ctr(['network', 'rm', 'kept']))
  await ctrd().ok(['network', 'rm', 'made'])
  assert.doesNotMatch(await ctrd().ok(['network', 'prune', '-f']), /kept/)
  await ctrd().ok(['network', 'rm', 'kept'])
})
