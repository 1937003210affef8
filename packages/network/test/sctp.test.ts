// needs: root, unshare(1), ip(8), nft(8), gcc(1)
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { isInOwnNetns, run, Sandbox } from './sandbox.ts'

const of = (name: string) => ({
  containerId: name.repeat(64),
  containerName: name,
  aliases: [],
  network: 'n',
  index: 0,
})

if (isInOwnNetns(import.meta.filename)) {
  test('a published port of SCTP leads from outside to the container, and back', async () => {
    await using sandbox = await Sandbox.open()
    const program = join(sandbox.directory, 'raw-sctp')
    run(`gcc -static -o ${program} ${import.meta.dirname}/raw-sctp.c`)
    const networks = await sandbox.openNetworks()
    await networks.create({ name: 'n', ipam: [{ subnet: '10.71.0.0/24' }] })
    const ports = [{ protocol: 'sctp', containerPort: 3868, hostIp: '', hostPort: '9000' }]
    const endpoint = await networks.connect({
      ...of('a'),
      ports,
    })
    assert.deepEqual(
      endpoint.ports.map(({ protocol, hostIp, hostPort }) => [protocol, hostIp, hostPort]),
      [
        ['sctp', '0.0.0.0', 9000],
        ['sctp', '::', 9000],
      ],
    )
    await sandbox.startContainer([endpoint], [program, 'serve', '3868'])
    const outside = await sandbox.startNeighbour()
    // It knows the host's address only.
    assert.equal(outside.run(`${program} call 192.0.2.1 9000`).trim(), '192.0.2.1:9000')
    const other = networks.connect({
      ...of('b'),
      ports,
    })
    await assert.rejects(other, /Bind for 0\.0\.0\.0:9000 failed: port is already allocated/)
  })
}
