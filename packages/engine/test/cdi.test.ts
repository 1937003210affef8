// needs root and overlay
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { getContainer, startContainer } from '@ctr/engine'
import { TestEngine } from './support.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'

const FIRST = {
  cdiVersion: '0.6.0',
  kind: 'nvidia.com/gpu',
  containerEdits: { env: ['COMMON=1'] },
  devices: [
    { name: '0', containerEdits: { env: ['DEVICE=first'] } },
    { name: 'all', containerEdits: { env: ['DEVICE=all'] } },
  ],
}

describe('CDI devices', { skip }, () => {
  let t: TestEngine
  let root: string
  before(async () => {
    root = mkdtempSync('/tmp/ctr-engine-cdi-')
    for (const name of ['a', 'b', 'data']) mkdirSync(join(root, name))
    writeFileSync(join(root, 'data/f'), 'text\n')
    writeFileSync(join(root, 'a/gpu.json'), JSON.stringify(FIRST))
    writeFileSync(join(root, 'a/broken.json'), '{')
    writeFileSync(
      join(root, 'b/card.yaml'),
      `cdiVersion: 0.6.0
kind: example.com/card
devices:
  - name: one
    containerEdits:
      env: [CARD=one]
      additionalGids: [4242]
      deviceNodes: [{path: /dev/card, hostPath: /dev/full, permissions: rw, fileMode: 0o640}]
      mounts: [{hostPath: ${join(root, 'data')}, containerPath: /card, options: [ro]}]
  - name: hooked
`,
    )
    const cdiSpecDirs = [join(root, 'a'), join(root, 'b'), join(root, 'missing')]
    t = await TestEngine.open({ bridge: { kind: 'none' }, cdiSpecDirs })
  })
  after(async () => {
    await t[Symbol.asyncDispose]()
    rmSync(root, { recursive: true, force: true })
  })

  async function run(script: string, DeviceRequests: object[], more: object = {}): Promise<string> {
    const hostConfig = { DeviceRequests, ...more }
    const { stdout, stderr } = await t.run(['sh', '-c', script], { hostConfig })
    return stdout + stderr
  }

  test('give nodes, mounts, groups and environment', async () => {
    const script =
      'echo $CARD; stat -c %t:%T:%a /dev/card; cat /card/f; touch /card/x 2>&1 | grep -o Read-only; id -G; echo x >/dev/card'
    const output = await run(script, [{ Driver: 'cdi', DeviceIDs: ['example.com/card=one'] }])
    assert.match(output, /^one\n1:7:640\ntext\nRead-only\n.*\b4242\b.*\n.*No space left/)
  })

  test('--gpus finds a vendor that has described its devices', async () => {
    const gpus = (Count: number) => [{ Count, Capabilities: [['gpu']] }]
    assert.equal(await run('echo $COMMON $DEVICE', gpus(1)), '1 first\n')
    assert.equal(await run('echo $COMMON $DEVICE', gpus(-1)), '1 all\n')
    await assert.rejects(run('true', gpus(2)), /unresolvable CDI devices nvidia.com\/gpu=1/)
  })

  test('what is not described is refused', async () => {
    const cdi = (name: string) => [{ Driver: 'cdi', DeviceIDs: [name] }]
    for (const name of ['example.com/card=two', 'nonesuch', '../x=y']) {
      await assert.rejects(run('true', cdi(name)), /unresolvable CDI devices/)
    }
    const unknown = [{ Driver: 'what', Capabilities: [['a', 'b']] }]
    await assert.rejects(
      run('true', unknown),
      /device driver "what" with capabilities: \[\[a b\]\]/,
    )
  })

  test('a joined IPC namespace has its /dev/shm', async () => {
    const owner = await t.create(['sh', '-c', 'echo shared >/dev/shm/f; sleep 300'], {
      hostConfig: { IpcMode: 'shareable' },
    })
    await startContainer(t.engine, owner)
    assert.equal(getContainer(t.engine, owner).state.status, 'running')
    const IpcMode = `container:${owner}`
    const script = 'until test -s /dev/shm/f; do sleep 0.1; done; cat /dev/shm/f'
    assert.equal(await run(script, [], { IpcMode }), 'shared\n')
  })
})
