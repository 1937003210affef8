// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import {
  attachContainer,
  commitContainer,
  containerLogs,
  createContainer,
  getContainer,
  isAlive,
  killContainer,
  listContainers,
  pauseContainer,
  removeContainer,
  renameContainer,
  restartContainer,
  startContainer,
  stopContainer,
  unpauseContainer,
  waitContainer,
} from '@ctr/engine'
import { isEngineError } from '@ctr/errdefs'
import { demultiplex, NEVER, TestEngine } from './support.ts'

describe('the states of a container', () => {
  let t: TestEngine
  before(async () => {
    t = await TestEngine.open()
  })
  after(() => t[Symbol.asyncDispose]())

  test('who waits for the next exit hears nothing of a start that failed, only of the end', async () => {
    const id = await t.create(['/no/such'])
    const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
    await assert.rejects(startContainer(t.engine, id), /no such file/)
    const answered = await Promise.race([exited, Promise.resolve('waiting')])
    assert.equal(answered, 'waiting')
    await removeContainer(t.engine, id, { force: false, volumes: false })
    assert.equal((await exited).exitCode, 127)
  })

  test('a container that ends just now can be committed', async () => {
    for (let round = 0; round < 5; round++) {
      const id = await t.create(['sleep', '1000'])
      await startContainer(t.engine, id)
      process.kill((getContainer(t.engine, id).state as { pid: number }).pid, 'SIGKILL')
      const imageId = await commitContainer(t.engine, {
        container: id,
        author: '',
        comment: '',
        changes: [],
        pause: true,
      })
      assert.match(imageId, /^sha256:/)
      await removeContainer(t.engine, id, { force: true, volumes: false })
    }
  })

  test('start of a running container changes nothing and says so', async () => {
    const id = await t.create(['sleep', '1000'])
    await startContainer(t.engine, id)
    const { state } = getContainer(t.engine, id)
    await assert.rejects(startContainer(t.engine, id), (e) => isEngineError(e, 'NOT_MODIFIED'))
    assert.deepEqual(getContainer(t.engine, id).state, state)
    await removeContainer(t.engine, id, { force: true, volumes: false })
  })

  test('it can be started again, and logs go on', async () => {
    const { id } = await t.run(['echo', 'again'])
    const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
    await startContainer(t.engine, id)
    await exited
    const { stream } = await containerLogs(
      t.engine,
      id,
      { stdout: true, stderr: true, follow: false, timestamps: false, details: false },
      NEVER,
    )
    assert.equal((await demultiplex(stream)).stdout, 'again\nagain\n')
  })

  test('stop sends SIGKILL after the grace', async () => {
    const id = await t.create(['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'])
    await startContainer(t.engine, id)
    const began = Date.now()
    await stopContainer(t.engine, id, { timeoutSeconds: 1 })
    assert.ok(Date.now() - began >= 1000)
    assert.equal(getContainer(t.engine, id).state.exitCode, 137)
  })

  test('a trap on the stop signal ends it with its own code, and stop of a stopped one is not modified', async () => {
    const id = await t.create([
      'sh',
      '-c',
      'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done',
    ])
    const session = await attachContainer(t.engine, id, {
      stdin: false,
      stdout: true,
      stderr: true,
      logs: false,
      stream: true,
    })
    await startContainer(t.engine, id)
    const stream = await session.stream
    assert.ok(stream)
    await new Promise((resolve) => stream.once('data', resolve)) // the trap is set
    stream.destroy()
    await stopContainer(t.engine, id, {})
    assert.equal(getContainer(t.engine, id).state.exitCode, 3)
    await assert.rejects(stopContainer(t.engine, id, {}), (e) => isEngineError(e, 'NOT_MODIFIED'))
  })

  test('kill ends it with 128 + signal and a stopped one cannot be killed', async () => {
    const id = await t.create(['sleep', '1000'])
    await startContainer(t.engine, id)
    await killContainer(t.engine, id, 'SIGKILL')
    const { state } = getContainer(t.engine, id)
    assert.deepEqual([state.status, state.exitCode], ['exited', 137])
    await assert.rejects(killContainer(t.engine, id, 'KILL'), (e) => isEngineError(e, 'CONFLICT'))
    await assert.rejects(killContainer(t.engine, id, 'NOPE'), (e) =>
      isEngineError(e, 'INVALID_ARGUMENT'),
    )
  })

  test('a running container is not removed without force', async () => {
    const id = await t.create(['sleep', '1000'])
    await startContainer(t.engine, id)
    await assert.rejects(removeContainer(t.engine, id, { force: false, volumes: false }), (e) =>
      isEngineError(e, 'CONFLICT'),
    )
    const { upperDir } = getContainer(t.engine, id)
    const removed = waitContainer(t.engine, id, 'removed', NEVER)
    await removeContainer(t.engine, id, { force: true, volumes: false })
    assert.equal((await removed).exitCode, 137)
    assert.ok(!existsSync(upperDir))
    assert.throws(
      () => getContainer(t.engine, id),
      (e) => isEngineError(e, 'NOT_FOUND'),
    )
  })

  test('of many that stop and remove one container all end well or with a clear error', async () => {
    const id = await t.create(['sleep', '1000'])
    await startContainer(t.engine, id)
    const results = await Promise.allSettled([
      ...Array.from({ length: 5 }, () => stopContainer(t.engine, id, { timeoutSeconds: 0 })),
      ...Array.from({ length: 5 }, () =>
        removeContainer(t.engine, id, { force: true, volumes: false }),
      ),
    ])
    for (const result of results) {
      if (result.status === 'fulfilled') continue
      assert.ok(isEngineError(result.reason), String(result.reason))
      assert.notEqual(result.reason.code, 'INTERNAL', result.reason.message)
    }
    assert.throws(
      () => getContainer(t.engine, id),
      (e) => isEngineError(e, 'NOT_FOUND'),
    )
  })

  test('--rm removes it after its end, after a failed start too', async () => {
    const id = await t.create(['true'], { hostConfig: { AutoRemove: true } })
    const removed = waitContainer(t.engine, id, 'removed', NEVER)
    await startContainer(t.engine, id)
    assert.equal((await removed).exitCode, 0)
    const failing = await t.create(['nosuch'], { hostConfig: { AutoRemove: true } })
    const gone = waitContainer(t.engine, failing, 'removed', NEVER)
    await assert.rejects(startContainer(t.engine, failing))
    assert.equal((await gone).exitCode, 127)
    assert.equal(t.engine.containers.find(failing), undefined)
  })

  test('pause freezes, unpause goes on', async () => {
    const id = await t.create(['sh', '-c', 'while :; do echo tick; sleep 0.02; done'])
    await startContainer(t.engine, id)
    await pauseContainer(t.engine, id)
    assert.equal(t.status(id), 'paused')
    await assert.rejects(pauseContainer(t.engine, id), (e) => isEngineError(e, 'CONFLICT'))
    const path = `${t.config.cgroupParent}/${id}`
    const isV2 = t.engine.host.cgroups.mode === 'v2'
    const freezer = isV2
      ? `/sys/fs/cgroup${path}/cgroup.freeze`
      : `/sys/fs/cgroup/freezer${path}/freezer.state`
    assert.equal(readFileSync(freezer, 'utf8').trim(), isV2 ? '1' : 'FROZEN')
    await unpauseContainer(t.engine, id)
    await assert.rejects(unpauseContainer(t.engine, id), (e) => isEngineError(e, 'CONFLICT'))
    const { stream } = await containerLogs(
      t.engine,
      id,
      { stdout: true, stderr: false, follow: true, timestamps: false, details: false, tail: 0 },
      NEVER,
    )
    await new Promise((resolve) => stream.once('data', resolve))
    stream.destroy()
    await pauseContainer(t.engine, id)
    await removeContainer(t.engine, id, { force: true, volumes: false }) // kills a frozen one, too
  })

  test('pause of a container that has ended, which the engine has not heard of yet, is a conflict', async () => {
    const id = await t.create(['sleep', '1000'])
    await startContainer(t.engine, id)
    const { state } = getContainer(t.engine, id)
    assert.ok(isAlive(state))
    process.kill(state.pid, 'SIGKILL')
    const hierarchy = t.engine.host.cgroups.mode === 'v2' ? '' : '/freezer'
    const cgroup = `/sys/fs/cgroup${hierarchy}${t.config.cgroupParent}/${id}`
    // Without giving the engine a turn.
    const deadline = Date.now() + 30_000
    while (existsSync(cgroup) && Date.now() < deadline) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
    await assert.rejects(pauseContainer(t.engine, id), (e) => isEngineError(e, 'CONFLICT'))
    await removeContainer(t.engine, id, { force: true, volumes: false })
  })

  test('restart gives a new process and keeps a --rm container', async () => {
    const id = await t.create(['sleep', '1000'], { hostConfig: { AutoRemove: true } })
    await startContainer(t.engine, id)
    const first = getContainer(t.engine, id).state
    await restartContainer(t.engine, id, { timeoutSeconds: 0 })
    const second = getContainer(t.engine, id).state
    assert.equal(second.status, 'running')
    assert.ok(first.status === 'running' && second.status === 'running')
    assert.notEqual(first.pid, second.pid)
    await removeContainer(t.engine, id, { force: true, volumes: true })
  })

  test('on-failure:2 runs it three times', async () => {
    const id = await t.create(['sh', '-c', 'echo run; exit 1'], {
      hostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
    })
    await startContainer(t.engine, id)
    while (t.status(id) !== 'exited') await waitContainer(t.engine, id, 'next-exit', NEVER)
    assert.equal(getContainer(t.engine, id).restartCount, 2)
    const { stream } = await containerLogs(
      t.engine,
      id,
      { stdout: true, stderr: true, follow: false, timestamps: false, details: false },
      NEVER,
    )
    assert.equal((await demultiplex(stream)).stdout, 'run\nrun\nrun\n')
  })

  test('stop of a container with restart policy always is final', async () => {
    const id = await t.create(['sleep', '1000'], {
      hostConfig: { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } },
    })
    await startContainer(t.engine, id)
    await stopContainer(t.engine, id, { timeoutSeconds: 0 })
    assert.equal(t.status(id), 'exited')
  })

  test('names: a conflict names the owner, rename frees the old one', async () => {
    const id = await t.create(['true'], { name: 'first' })
    await assert.rejects(t.create(['true'], { name: 'first' }), (error) => {
      assert.ok(isEngineError(error, 'CONFLICT'))
      assert.match(error.message, new RegExp(`"/first" is already in use by container "${id}"`))
      return true
    })
    await renameContainer(t.engine, id, 'second')
    const other = await t.create(['true'], { name: 'first' })
    assert.equal(getContainer(t.engine, 'second').id, id)
    assert.equal(getContainer(t.engine, 'first').id, other)
    assert.equal(getContainer(t.engine, id.slice(0, 12)).name, 'second')
  })

  test('ps shows what runs, newest first; filters restrict', async () => {
    const a = await t.create(['sleep', '1000'], { config: { Labels: { k: 'v' } } })
    const b = await t.create(['sleep', '1000'], { name: 'named-one' })
    await startContainer(t.engine, a)
    await startContainer(t.engine, b)
    const ids = (filters: [string, string[]][] = [], all = false): string[] =>
      listContainers(t.engine, { all, limit: 0, filters: new Map(filters) }).map(
        ({ record }) => record.id,
      )
    assert.deepEqual(ids(), [b, a])
    assert.deepEqual(ids([['label', ['k=v']]]), [a])
    assert.deepEqual(ids([['name', ['^named-']]]), [b])
    assert.ok(ids([['status', ['exited']]]).length > 0)
    assert.throws(
      () => ids([['status', ['bogus']]]),
      (e) => isEngineError(e, 'INVALID_ARGUMENT'),
    )
    for (const id of [a, b]) await removeContainer(t.engine, id, { force: true, volumes: false })
  })

  test('an unknown image, a bad name or limit makes nothing', async () => {
    const count = t.engine.containers.all().length
    const attempt = (o: object): Promise<unknown> =>
      createContainer(t.engine, { config: { Image: 'busybox' }, hostConfig: {}, ...o })
    await assert.rejects(attempt({ config: { Image: 'nosuch' } }), /No such image: nosuch:latest/)
    await assert.rejects(attempt({ name: 'a/b' }), /Invalid container name \(a\/b\)/)
    await assert.rejects(attempt({ hostConfig: { Memory: 4 * 2 ** 20 } }), /minimum|Minimum/)
    await assert.rejects(
      attempt({ hostConfig: { Binds: ['/a:'] } }),
      /invalid volume specification/,
    )
    await assert.rejects(
      attempt({ hostConfig: { NetworkMode: 'container:nope' } }),
      /No such container: nope/,
    )
    await assert.rejects(
      attempt({ name: 'nope', hostConfig: { NetworkMode: 'container:nope' } }),
      /cannot join own network/,
    )
    assert.equal(t.engine.containers.all().length, count)
  })
})
