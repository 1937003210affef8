import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'
import { inBusybox, useDaemon } from '../daemon-fixture.ts'

/** skopeo’s transport `docker-daemon:`, which podman and buildah have too. Those of Debian 12 speak API 1.22. */
const skip = requires({ root: true, commands: ['skopeo'] })
const ctrd = useDaemon()

async function skopeo(...args: string[]): Promise<string> {
  const command = ['skopeo', '--insecure-policy', ...args]
  const { code, stdout, stderr } = await run(command, { timeoutMs: 60_000 })
  assert.equal(code, 0, `${command.join(' ')}: ${stderr}`)
  return stdout
}

test('skopeo copies images out of the daemon and into it', { skip }, async () => {
  const daemon = ctrd()
  const host = `unix://${daemon.socketPath}`
  const layout = `oci:${daemon.root}/layout:busybox`
  await skopeo('copy', '--src-daemon-host', host, 'docker-daemon:busybox:latest', layout)
  await skopeo('copy', '--dest-daemon-host', host, layout, 'docker-daemon:from-oci:1')
  assert.equal(
    await daemon.ok(['run', '--rm', 'from-oci:1', 'echo', 'from the layout']),
    'from the layout',
  )
  const archive = `docker-archive:${daemon.root}/archive.tar:from-archive:1`
  await skopeo('copy', '--src-daemon-host', host, 'docker-daemon:from-oci:1', archive)
  await skopeo('copy', '--dest-daemon-host', host, archive, 'docker-daemon:from-archive:1')
  const ids = await daemon.ok(['images', '--quiet', '--no-trunc', '--filter', 'reference=from-*'])
  assert.equal(new Set(ids.split('\n')).size, 1)
  await daemon.ok(['rmi', 'from-oci:1', 'from-archive:1'])
})

test('skopeo inspects an image of the daemon', { skip }, async () => {
  const daemon = ctrd()
  const host = `unix://${daemon.socketPath}`
  const text = await skopeo('inspect', '--daemon-host', host, 'docker-daemon:busybox:latest')
  const { Os, Layers } = JSON.parse(text) as { Os: string; Layers: string[] }
  assert.deepEqual([Os, Layers.length], ['linux', 1])
  assert.equal(await inBusybox(daemon, 'echo still here'), 'still here')
})
