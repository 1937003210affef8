import assert from 'node:assert/strict'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { requires, waitFor } from '@ctr/testkit'
import { cgroupDirectory } from './cgroup-files.ts'
import { field, pidOf, useDaemon } from './daemon-fixture.ts'

// Frozen and stopped processes, and the daemons that find them.
const skip = requires({ root: true })

describe('a paused container', { skip, timeout: 300_000 }, () => {
  const daemon = useDaemon({ bridge: false })

  const status = async (): Promise<string> =>
    await field(daemon(), 'it', '{{.State.Status}} {{.State.Paused}} {{.State.ExitCode}}')

  /** A shell that has set its traps, which its first line of output says. */
  async function runScript(script: string): Promise<void> {
    await daemon().ok(['run', '-d', '--name', 'it', 'busybox', 'sh', '-c', script])
    await waitFor('its first line', async () => (await daemon().ok(['logs', 'it'])) !== '')
  }

  /** Paused, and found by another daemon than the one that paused it. */
  async function runPaused(script: string): Promise<number> {
    await runScript(script)
    await daemon().ok(['pause', 'it'])
    const pid = await pidOf(daemon(), 'it')
    await daemon().kill9()
    await daemon().restart()
    assert.equal(await status(), 'paused true 0')
    return pid
  }

  const SLEEP = 'echo ready; exec sleep 300'
  const COUNT = 'trap "exit 3" TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done'

  test('goes on after unpause by the next daemon', async () => {
    const pid = await runPaused(COUNT)
    await daemon().ok(['logs', 'it']) // what was in the pipe may still be on its way to the log
    const before = await daemon().ok(['logs', 'it'])
    assert.equal(await daemon().ok(['logs', 'it']), before)
    await daemon().ok(['unpause', 'it'])
    assert.equal(await status(), 'running false 0')
    assert.equal(await pidOf(daemon(), 'it'), pid)
    await waitFor('more output', async () => (await daemon().ok(['logs', 'it'])) > before)
  })

  test('prints nothing, nor do its execs; twice is an error', async () => {
    await runScript(COUNT)
    await daemon().ok(['exec', '-d', 'it', 'sh', '-c', 'while :; do echo x >>/x; done'])
    const upper = await field(daemon(), 'it', '{{.GraphDriver.Data.UpperDir}}')
    await waitFor('the first bytes', () => existsSync(`${upper}/x`))
    await daemon().ok(['pause', 'it'])
    assert.equal(await status(), 'paused true 0')
    await daemon().ok(['logs', 'it'])
    const before = [await daemon().ok(['logs', 'it']), statSync(`${upper}/x`).size]
    await setTimeout(300)
    assert.deepEqual([await daemon().ok(['logs', 'it']), statSync(`${upper}/x`).size], before)

    for (const [args, text] of [
      [['pause', 'it'], /ontainer .* is already paused/],
      [['exec', 'it', 'true'], /is paused, unpause the container before exec/],
    ] as const) {
      const refused = await daemon().ctr(args)
      assert.notEqual(refused.code, 0)
      assert.match(refused.stderr, text)
    }
    await daemon().ok(['unpause', 'it'])
    await waitFor('the exec to go on', () => statSync(`${upper}/x`).size > Number(before[1]))
    const again = await daemon().ctr(['unpause', 'it'])
    assert.equal(again.code, 1)
    assert.match(again.stderr, /ontainer .* is not paused/)
  })

  test('is thawed by stop, gets its signal and has its exit code', async () => {
    await runPaused(COUNT)
    await daemon().ok(['stop', '-t', '20', 'it'])
    assert.equal(await status(), 'exited false 3')
  })

  test('is killed by kill', async () => {
    await runPaused(SLEEP)
    await daemon().ok(['kill', 'it'])
    assert.equal(await status(), 'exited false 137')
  })

  test('is not removed without --force, and is with it', async () => {
    await runPaused(SLEEP)
    const refused = await daemon().ctr(['rm', 'it'])
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /paused and must be unpaused first/)
    await daemon().ok(['rm', '--force', 'it'])
    assert.equal(await daemon().ok(['ps', '-aq']), '')
  })

  test('is restarted by restart', async () => {
    const pid = await runPaused(COUNT)
    await daemon().ok(['restart', '-t', '20', 'it'])
    assert.equal(await status(), 'running false 0')
    assert.notEqual(await pidOf(daemon(), 'it'), pid)
  })

  test('with a stop signal of its own keeps other signals until it is unpaused', async () => {
    const script = 'trap "exit 5" USR1; echo ready; while :; do sleep 0.02; done'
    await runPaused(script)
    // Without one, any signal unpauses: moby daemon/kill.go.
    await daemon().ok(['kill', '-s', 'USR1', 'it'])
    await daemon().ok(['wait', 'it'])
    await daemon().ok(['rm', 'it'])
    await daemon().ok([
      'create',
      '--name',
      'it',
      '--stop-signal',
      'INT',
      'busybox',
      'sh',
      '-c',
      script,
    ])
    await daemon().ok(['start', 'it'])
    await waitFor('its trap', async () => (await daemon().ok(['logs', 'it'])) === 'ready')
    await daemon().ok(['pause', 'it'])
    await daemon().ok(['kill', '-s', 'USR1', 'it'])
    assert.equal(await status(), 'paused true 0')
    await daemon().ok(['unpause', 'it'])
    assert.equal(await daemon().ok(['wait', 'it']), '5')
  })

  test('that a killed daemon was about to pause, unpause or commit is not left frozen', async () => {
    await daemon().ok(['run', '-d', '--name', 'it', 'busybox', 'sleep', '300'])
    await daemon().kill9()
    await daemon().restart()
    freeze(await pidOf(daemon(), 'it'), true)
    await daemon().kill9()
    await daemon().restart()
    assert.equal(await daemon().ok(['exec', 'it', 'echo', 'runs']), 'runs')
    await daemon().ok(['pause', 'it'])
    freeze(await pidOf(daemon(), 'it'), false)
    await daemon().kill9()
    await daemon().restart()
    assert.equal(await status(), 'running false 0')
  })

  test('a process that is stopped by SIGSTOP is ended by stop after its grace', async () => {
    await daemon().ok(['run', '-d', '--name', 'it', 'busybox', 'sh', '-c', COUNT])
    process.kill(await pidOf(daemon(), 'it'), 'SIGSTOP')
    await daemon().kill9()
    await daemon().restart()
    assert.equal(await status(), 'running false 0')
    await daemon().ok(['stop', '-t', '1', 'it'])
    assert.equal(await status(), 'exited false 137')
  })
})

function freeze(pid: number, isFrozen: boolean): void {
  const { path, version } = cgroupDirectory(pid, 'freezer')
  if (version === 2) writeFileSync(`${path}/cgroup.freeze`, isFrozen ? '1' : '0')
  else writeFileSync(`${path}/freezer.state`, isFrozen ? 'FROZEN' : 'THAWED')
}
