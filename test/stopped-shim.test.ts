import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { requires, waitFor } from '@ctr/testkit'
import { field, pidOf, useDaemon } from './daemon-fixture.ts'

// A shim that somebody has stopped (SIGSTOP) answers nothing, but the kernel still connects to it.
const skip = requires({ root: true })

describe('a stopped shim', { skip, timeout: 300_000 }, () => {
  const daemon = useDaemon({ bridge: false })
  const stopped: number[] = []
  afterEach(() => {
    for (const pid of stopped.splice(0)) signal(pid, 'SIGKILL')
  })

  async function shimOf(name: string): Promise<number> {
    const id = await field(daemon(), name, '{{.Id}}')
    const path = join(daemon().execRoot, 'c', id.slice(0, 24), 'shim.pid')
    return Number(readFileSync(path, 'utf8'))
  }

  /** A container whose shim is stopped. */
  async function runStopped(name: string, ...command: readonly string[]): Promise<number> {
    await daemon().ok(['run', '-d', '-i', '-t', '--name', name, 'busybox', ...command])
    const shim = await shimOf(name)
    stopped.push(shim)
    signal(shim, 'SIGSTOP')
    return shim
  }

  const status = async (name: string): Promise<string> =>
    await field(daemon(), name, '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}')

  test('is ended by stop, after the process had its signal and its grace', async () => {
    const trap = 'trap "echo ended >/tmp/it; exit 3" TERM; touch /tmp/ready'
    const shim = await runStopped('it', 'sh', '-c', `${trap}; while :; do sleep 0.1; done`)
    const ready = 'until [ -e /tmp/ready ]; do sleep 0.02; done'
    await daemon().ok(['exec', 'it', 'sh', '-c', ready])
    // Reads do not depend on it.
    assert.equal(await status('it'), 'running 0 ')
    assert.equal(
      await daemon().ok(['exec', 'it', 'echo', 'execs do not need it']),
      'execs do not need it',
    )
    await daemon().ok(['stop', '-t', '-1', 'it'])
    assert.equal(await status('it'), 'exited 137 shim died')
    await waitFor('the end of the shim', () => !existsSync(`/proc/${shim}`))
    await daemon().ok(['cp', 'it:/tmp/it', join(daemon().root, 'it')])
    assert.equal(readFileSync(join(daemon().root, 'it'), 'utf8'), 'ended\n')
  })

  test('is ended by kill and by rm --force, and the container can be started again', async () => {
    await runStopped('one', 'sleep', '300')
    await runStopped('two', 'sleep', '300')
    await Promise.all([daemon().ok(['kill', 'one']), daemon().ok(['rm', '-f', 'two'])])
    assert.equal(await status('one'), 'exited 137 shim died')
    await daemon().ok(['start', 'one'])
    assert.equal(await status('one'), 'running 0 ')
  })

  test('makes attach and resize fail with the reason; it goes on where it was', async () => {
    const shim = await runStopped('it', 'sleep', '300')
    const id = await field(daemon(), 'it', '{{.Id}}')
    const expected = new RegExp(
      `${id.slice(0, 24)} \\(process ${shim}, stopped\\) has not answered`,
    )
    const [attach, resize] = await Promise.all([
      daemon().request('POST', `/containers/${id}/attach?stream=1&stdout=1`),
      daemon().request('POST', `/containers/${id}/resize?h=10&w=20`),
    ])
    assert.equal(attach.status, 500)
    assert.match(attach.text, expected)
    assert.equal(resize.status, 500)
    assert.match(resize.text, expected)
    signal(shim, 'SIGCONT')
    const size = async (h: number): Promise<number> =>
      (await daemon().request('POST', `/containers/${id}/resize?h=${h}&w=20`)).status
    await waitFor('an answer', async () => (await size(11)) === 200)
    assert.match(
      await daemon().ok(['exec', 'it', 'sh', '-c', 'stty -F /dev/console size']),
      /^11 20/,
    )
  })

  test('does not hold up the start of a daemon, and is adopted when it goes on', async () => {
    const shim = await runStopped('it', 'sh', '-c', 'read line; exit 7')
    const pid = await pidOf(daemon(), 'it')
    await daemon().kill9()
    await daemon().restart()
    assert.equal(await status('it'), 'running 0 ')
    assert.equal(await pidOf(daemon(), 'it'), pid)
    const resize = await daemon().request('POST', '/containers/it/resize?h=10&w=20')
    assert.equal(resize.status, 500)
    assert.match(resize.text, /the shim of container .* does not answer/)
    // A daemon that ends does not wait for it either.
    await daemon().restart()
    signal(shim, 'SIGCONT')
    await waitFor('its adoption', async () => {
      return (await daemon().request('POST', '/containers/it/resize?h=10&w=20')).status === 200
    })
    const session = daemon().session(['attach', 'it'], { tty: { rows: 24, columns: 80 } })
    session.write('\n')
    assert.equal(await session.exited, 7)
    assert.equal(await status('it'), 'exited 7 ')
  })

  test('of an exec does not hold up the end of its container', async () => {
    await daemon().ok(['run', '-d', '--name', 'it', 'busybox', 'sleep', '300'])
    const session = daemon().session(['exec', 'it', 'sh', '-c', 'echo ready; sleep 300'])
    await session.waitFor('ready')
    const [directory] = readdirSync(join(daemon().execRoot, 'x'))
    const path = join(daemon().execRoot, 'x', directory ?? '', 'shim.pid')
    const shim = Number(readFileSync(path, 'utf8'))
    stopped.push(shim)
    signal(shim, 'SIGSTOP')
    await daemon().ok(['stop', '-t', '0', 'it'])
    assert.equal(await status('it'), 'exited 137 ')
    await session.exited
    await daemon().ok(['start', 'it'])
    assert.equal(await daemon().ok(['exec', 'it', 'echo', 'goes on']), 'goes on')
  })

  test('that was there before the daemon is ended by rm --force', async () => {
    await runStopped('it', 'sleep', '300')
    await daemon().kill9()
    await daemon().restart()
    await daemon().ok(['rm', '-f', 'it'])
    assert.equal(await daemon().ok(['ps', '-aq']), '')
  })
})

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}
