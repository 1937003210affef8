// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { readFileSync, readlinkSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import {
  createExec,
  type EngineEvent,
  getContainer,
  getExec,
  isAlive,
  listExecs,
  pauseContainer,
  removeContainer,
  resizeExec,
  restartContainer,
  signalExec,
  startContainer,
  startExec,
  stopContainer,
  subscribeEvents,
  unpauseContainer,
} from '@ctr/engine'
import { isEngineError } from '@ctr/errdefs'
import { isProcess } from '@ctr/linux'
import { demultiplex, TestEngine, text } from './support.ts'

type ExecConfig = Parameters<typeof createExec>[2]

describe('execs', () => {
  let t: TestEngine
  let container: string
  before(async () => {
    t = await TestEngine.open()
    container = await t.create(['sleep', '600'], { config: { Env: ['A=1'] } })
    await startContainer(t.engine, container)
  })
  after(() => t[Symbol.asyncDispose]())

  const run = async (
    command: readonly string[],
    config: ExecConfig = {},
    input?: string,
  ): Promise<{ exitCode: number | undefined; stdout: string; stderr: string; id: string }> => {
    const ended = new AbortController()
    const id = await createExec(t.engine, container, {
      Cmd: [...command],
      AttachStdout: true,
      AttachStderr: true,
      ...config,
    })
    const died = firstEvent(t, ended.signal, (event) => {
      return event.action === 'exec_die' && event.attributes['execID'] === id
    })
    const session = await startExec(t.engine, id, { detach: false, tty: config.Tty === true })
    const stream = await session?.stream
    if (stream === undefined) {
      ended.abort()
      const failure = await session?.failure
      assert.ok(failure)
      throw failure
    }
    if (input !== undefined) stream.end(input)
    const output =
      config.Tty === true ? { stdout: await text(stream), stderr: '' } : await demultiplex(stream)
    await died
    const { state } = getExec(t.engine, id)
    return { id, exitCode: state.status === 'exited' ? state.exitCode : undefined, ...output }
  }

  test('the last 64 of a container that have ended can be inspected, and never more than 128', async () => {
    const ids: string[] = []
    for (let i = 0; i < 150; i++) {
      ids.push((await run(['true'])).id)
      const kept = listExecs(t.engine, { container, all: true }).map(({ id }) => id)
      assert.ok(ids.slice(-64).every((id) => kept.includes(id)))
      assert.ok(kept.length <= 129, `${kept.length} are kept`)
    }
    assert.throws(() => getExec(t.engine, ids[0] ?? ''), /No such exec instance/)
  })

  test('it has its own streams and code, and the container’s environment', async () => {
    const { stdout, stderr, exitCode } = await run(['sh', '-c', 'echo $A $B; echo e >&2; exit 9'], {
      Env: ['B=2'],
    })
    assert.deepEqual({ stdout, stderr, exitCode }, { stdout: '1 2\n', stderr: 'e\n', exitCode: 9 })
  })

  test('it is in the container’s namespaces and cgroup', async () => {
    const { state } = getContainer(t.engine, container)
    assert.ok(isAlive(state))
    for (const kind of ['mnt', 'uts', 'ipc', 'pid', 'net']) {
      const { stdout } = await run(['readlink', `/proc/self/ns/${kind}`])
      assert.equal(stdout.trim(), readlinkSync(`/proc/${state.pid}/ns/${kind}`))
    }
    const { stdout } = await run(['cat', '/proc/self/cgroup'])
    assert.match(stdout, new RegExp(container))
    assert.equal(stdout, readFileSync(`/proc/${state.pid}/cgroup`, 'utf8'))
  })

  test('user, directory and stdin', async () => {
    assert.equal((await run(['id', '-u'], { User: 'daemon' })).stdout, '1\n')
    assert.equal((await run(['pwd'], { WorkingDir: '/etc' })).stdout, '/etc\n')
    assert.equal((await run(['cat'], { AttachStdin: true }, 'hello')).stdout, 'hello')
  })

  test('a user by the container’s account files as they are now, however they were changed', async () => {
    const user = async (name: string): Promise<string> =>
      (await run(['id', '-u'], { User: name })).stdout
    const changes: readonly [uid: string, script: string][] = [
      ['4321', 'echo joe:x:4321:4321::/:/bin/sh >>/etc/passwd'],
      ['4322', 'sed -i s/4321/4322/g /etc/passwd'],
      ['4323', 'sed s/4322/4323/g /etc/passwd >/p; rm /etc/passwd; ln -s ../p /etc/passwd'],
      ['4324', 'sed s/4323/4324/g /p >/q; cat /q >/p'],
    ]
    await run(['cp', '/etc/passwd', '/saved'])
    for (const [uid, script] of changes) {
      await run(['sh', '-c', script])
      assert.equal(await user('joe'), `${uid}\n`)
      // What was read is kept only when it has not changed for a second: the next change must be seen all the same.
      await setTimeout(1100)
      assert.equal(await user('joe'), `${uid}\n`)
      assert.equal(await user('joe'), `${uid}\n`)
    }
    await run(['sh', '-c', 'rm /etc/passwd'])
    await assert.rejects(user('joe'), /unable to find user joe/)
    await run(['mv', '/saved', '/etc/passwd'])
  })

  test('each its own of what they differ in, however often', async () => {
    const script = 'id -u; id -g; pwd; grep CapBnd /proc/self/status; echo $HOME $X'
    const configs: ExecConfig[] = [
      {},
      { User: '1000:7' },
      { WorkingDir: '/tmp' },
      { Privileged: true },
      { User: '1000:7', Privileged: true },
      { Env: ['X=1', 'HOME=/y'] },
    ]
    const round = async (): Promise<string[]> => {
      const outputs = []
      for (const config of configs) outputs.push((await run(['sh', '-c', script], config)).stdout)
      return outputs
    }
    const first = await round()
    assert.equal(new Set(first).size, configs.length)
    assert.deepEqual(
      first.map((text) => text.split('\n').slice(0, 3).join(' ')),
      ['0 0 /', '1000 7 /', '0 0 /tmp', '0 0 /', '1000 7 /', '0 0 /'],
    )
    assert.deepEqual(await round(), first)
  })

  test('a terminal with size', async () => {
    const { stdout } = await run(['stty', 'size'], { Tty: true, ConsoleSize: [30, 100] })
    assert.equal(stdout, '30 100\r\n')
  })

  test('a missing command is 127 and one that cannot be run 126, with the reason', async () => {
    for (const [command, code, words] of [
      ['nosuch', 127, /exec: "nosuch": executable file not found in \$PATH: unknown/],
      ['/etc/passwd', 126, /exec: "\/etc\/passwd": permission denied: unknown/],
    ] as const) {
      const id = await createExec(t.engine, container, { Cmd: [command], AttachStdout: true })
      const session = await startExec(t.engine, id, { detach: false, tty: false })
      assert.equal(await session?.stream, undefined)
      assert.match((await session?.failure)?.message ?? '', words)
      assert.deepEqual(getExec(t.engine, id).state, { status: 'exited', pid: 0, exitCode: code })
    }
  })

  test('detached it runs on its own, can be signalled, and cannot be started twice', async () => {
    const ended = new AbortController()
    const id = await createExec(t.engine, container, { Cmd: ['sleep', '600'], Detach: true })
    const died = firstEvent(
      t,
      ended.signal,
      (event) => event.attributes['execID'] === id && event.action === 'exec_die',
    )
    assert.equal(await startExec(t.engine, id, { detach: true, tty: false }), undefined)
    assert.equal(getExec(t.engine, id).state.status, 'running')
    assert.deepEqual(getContainer(t.engine, container).execIds, [id])
    await assert.rejects(startExec(t.engine, id, { detach: true, tty: false }), (e) =>
      isEngineError(e, 'CONFLICT'),
    )
    await signalExec(t.engine, id, 'TERM')
    assert.equal((await died)?.attributes['exitCode'], '143')
    await assert.rejects(resizeExec(t.engine, id, 1, 1), (e) => isEngineError(e, 'CONFLICT'))
  })

  test('not in a paused container', async () => {
    await pauseContainer(t.engine, container)
    await assert.rejects(createExec(t.engine, container, { Cmd: ['true'] }), (error) => {
      assert.ok(isEngineError(error, 'CONFLICT'))
      assert.match(error.message, /is paused, unpause the container before exec/)
      return true
    })
    await unpauseContainer(t.engine, container)
  })

  test('one whose container is being killed meanwhile runs, or is told that it does not', async () => {
    for (let round = 0; round < 8; round++) {
      const id = await t.create(['sleep', '600'])
      await startContainer(t.engine, id)
      const exec = await createExec(t.engine, id, { Cmd: ['sleep', '600'], Detach: true })
      const [outcome] = await Promise.allSettled([
        startExec(t.engine, exec, { detach: true, tty: false }),
        stopContainer(t.engine, id, { timeoutSeconds: 0 }),
      ])
      if (outcome.status === 'fulfilled') continue
      const { reason } = outcome
      assert.ok(isEngineError(reason, 'CONFLICT') || isEngineError(reason, 'NOT_FOUND'), reason)
    }
  })

  test('it ends with its container', async () => {
    const id = await createExec(t.engine, container, { Cmd: ['sleep', '777'], Detach: true })
    const ended = new AbortController()
    const died = firstEvent(
      t,
      ended.signal,
      (event) => event.attributes['execID'] === id && event.action === 'exec_die',
    )
    await startExec(t.engine, id, { detach: true, tty: false })
    const { state } = getExec(t.engine, id)
    assert.ok(state.status === 'running')
    await restartContainer(t.engine, container, { timeoutSeconds: 0 })
    await died
    assert.ok(!isProcess(state.pid, state.startTime))
    assert.equal(getExec(t.engine, id).state.status, 'exited')
    const waiting = await createExec(t.engine, container, { Cmd: ['true'] })
    await stopContainer(t.engine, container, { timeoutSeconds: 0 })
    const forgotten = { code: 'NOT_FOUND', message: `No such exec instance: ${waiting}` }
    const late = (): Promise<unknown> => startExec(t.engine, waiting, { detach: true, tty: false })
    await assert.rejects(late(), forgotten)
    await assert.rejects(createExec(t.engine, container, { Cmd: ['true'] }), (e) =>
      isEngineError(e, 'CONFLICT'),
    )
    await startContainer(t.engine, container)
    await assert.rejects(late(), forgotten)
  })

  test('its row goes with its container, and with no other', async () => {
    const rows = t.engine.store.db.prepare('SELECT count(*) FROM execs WHERE container_id = ?')
    const other = await t.create(['sleep', '600'])
    await startContainer(t.engine, other)
    await createExec(t.engine, container, { Cmd: ['true'] })
    await createExec(t.engine, other, { Cmd: ['true'] })
    await removeContainer(t.engine, other, { force: true, volumes: true })
    assert.equal(rows.pluck().get(other), 0)
    assert.ok(Number(rows.pluck().get(container)) > 0)
  })
})

async function firstEvent(
  t: TestEngine,
  signal: AbortSignal,
  isWanted: (event: EngineEvent) => boolean,
): Promise<EngineEvent | undefined> {
  const sinceNs = t.engine.clock.nowNs() - 1_000_000_000n
  for await (const event of subscribeEvents(
    t.engine,
    { sinceNs, filters: new Map() },
    AbortSignal.any([signal, AbortSignal.timeout(120_000)]),
  )) {
    if (isWanted(event)) return event
  }
  return undefined
}
