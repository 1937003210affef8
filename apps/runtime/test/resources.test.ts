import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { cgroupDirectory, findHierarchy, readCgroupLayout } from '@ctr/linux'
import { message, RUNTIME, SUITE_MS, TestBundle, until } from './bundle.ts'

/** Requires root. */
describe('resources', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  after(() => bundle[Symbol.dispose]())

  const layout = readCgroupLayout()
  const isV1 = findHierarchy(layout, 'memory')?.version === 1
  function file(id: string, controller: string, v1: string, v2: string): string {
    const hierarchy = findHierarchy(layout, controller)
    assert.ok(hierarchy, `no ${controller} controller`)
    const directory = cgroupDirectory(hierarchy, `/ctr-runtime/${id}`)
    return readFileSync(`${directory}/${isV1 ? v1 : v2}`, 'utf8').trim()
  }
  const memory = (id: string): string => file(id, 'memory', 'memory.limit_in_bytes', 'memory.max')
  const pids = (id: string): string => file(id, 'pids', 'pids.max', 'pids.max')

  it('sets what config.json says and changes what update says, and only that', async () => {
    const id = bundle.id('limits')
    const linux = JSON.parse(readFileSync(join(bundle.dir, 'config.json'), 'utf8')).linux as object
    bundle.configure({
      linux: {
        ...linux,
        resources: { memory: { limit: 64 << 20, swap: 64 << 20 }, pids: { limit: 40 } },
      },
    })
    await bundle.run('run', '-d', id)
    assert.deepEqual([memory(id), pids(id)], [String(64 << 20), '40'])
    assert.equal(
      (await bundle.run('update', '--memory', '32m', '--memory-swap', '32m', id)).code,
      0,
    )
    assert.deepEqual([memory(id), pids(id)], [String(32 << 20), '40'])
    // Raised above the old memory+swap, which the kernel wants first.
    assert.equal(
      (await bundle.run('update', '--memory', '96m', '--memory-swap', '96m', id)).code,
      0,
    )
    assert.deepEqual([memory(id), pids(id)], [String(96 << 20), '40'])
    const document = JSON.stringify({
      memory: { limit: 0 },
      pids: { limit: 20 },
      cpu: { quota: 50000 },
    })
    assert.equal((await bundle.runWith({ input: document }, 'update', '-r', '-', id)).code, 0)
    assert.deepEqual([memory(id), pids(id)], [String(96 << 20), '20'])
    assert.equal(
      message(await bundle.run('update', '--memory', 'xx', id)),
      "invalid value for memory: invalid size: 'xx'",
    )
    await bundle.run('delete', '-f', id)
  })

  it('denies devices that are not allowed', async () => {
    bundle.configure(
      {},
      {
        args: ['sh', '-c', 'mknod /tmp/k c 1 11 && cat /tmp/k; echo x >/dev/null && echo fine'],
        capabilities: {
          bounding: ['CAP_MKNOD'],
          effective: ['CAP_MKNOD'],
          permitted: ['CAP_MKNOD'],
        },
      },
    )
    const result = await bundle.run('run', bundle.id('devices'))
    assert.match(result.stderr, /Operation not permitted/)
    assert.equal(result.stdout, 'fine\n')
  })

  it('answers statistics', async () => {
    const id = bundle.id('stats')
    bundle.configure({})
    await bundle.run('run', '-d', id)
    const event = JSON.parse((await bundle.run('events', '--stats', id)).stdout) as {
      type: string
      data: {
        pids: { current: number }
        cpu: { usage: { total: number } }
        memory: { usage: { usage: number } }
      }
    }
    assert.equal(event.type, 'stats')
    assert.equal(event.data.pids.current, 1)
    assert.ok(event.data.cpu.usage.total > 0)
    assert.ok(event.data.memory.usage.usage > 0)
    await bundle.run('delete', '-f', id)
  })

  it('tells an OOM kill', async () => {
    const id = bundle.id('oom')
    const linux = JSON.parse(readFileSync(join(bundle.dir, 'config.json'), 'utf8')).linux as object
    const go = join(bundle.dir, 'rootfs/tmp/go')
    bundle.configure(
      { linux: { ...linux, resources: { memory: { limit: 16 << 20, swap: 16 << 20 } } } },
      {
        args: [
          'sh',
          '-c',
          'while ! [ -e /tmp/go ]; do sleep 0.02; done; (a=x; while :; do a=$a$a; done); sleep 100',
        ],
      },
    )
    await bundle.run('run', '-d', id)
    const events = spawn(RUNTIME, ['--root', bundle.root, 'events', '--interval', '100ms', id], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    events.stdout.on('data', (chunk) => {
      text += String(chunk)
    })
    await until(() => text.includes('"type":"stats"'), 'events come')
    writeFileSync(go, '')
    await until(() => text.includes(`{"type":"oom","id":"${id}"}`), 'the kill is told')
    await bundle.run('delete', '-f', id)
    await until(() => events.exitCode === 0, 'events end with the container')
    assert.ok(existsSync(go))
  })
})
