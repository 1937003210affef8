// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import {
  attachContainer,
  commitContainer,
  containerLogs,
  createContainer,
  explainContainer,
  getContainer,
  killContainer,
  listContainers,
  pauseContainer,
  removeContainer,
  renameContainer,
  restartContainer,
  startContainer,
  stopContainer,
  unpauseContainer,
  updateContainer,
  waitContainer,
} from '@ctr/engine'
import { isEngineError } from '@ctr/errdefs'
import { demultiplex, NEVER, TestEngine, text } from './support.ts'

describe('life cycle of a container', () => {
  let t: TestEngine
  before(async () => {
    t = await TestEngine.open()
  })
  after(() => t[Symbol.asyncDispose]())

  const runToEnd = async (
    command: readonly string[],
    o: Parameters<TestEngine['create']>[1] = {},
  ): Promise<{ id: string; exitCode: number; stdout: string; stderr: string }> => {
    const id = await t.create(command, o)
    const session = await attachContainer(t.engine, id, {
      stdin: false,
      stdout: true,
      stderr: true,
      logs: false,
      stream: true,
    })
    const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
    await startContainer(t.engine, id)
    const stream = await session.stream
    assert.ok(stream)
    const output = await demultiplex(stream)
    return { id, exitCode: (await exited).exitCode, ...output }
  }

  test('a client that attached before the start gets every byte, and wait gives the code', async () => {
    const run = await runToEnd(['sh', '-c', 'echo out; echo err >&2; exit 7'])
    assert.deepEqual({ ...run, id: '' }, { id: '', exitCode: 7, stdout: 'out\n', stderr: 'err\n' })
    assert.equal(t.status(run.id), 'exited')
  })

  test('the log has both streams apart', async () => {
    const { id } = await runToEnd(['sh', '-c', 'echo out; echo err >&2'])
    const { stream } = await containerLogs(
      t.engine,
      id,
      { stdout: true, stderr: true, follow: false, timestamps: false, details: false },
      NEVER,
    )
    assert.deepEqual(await demultiplex(stream), { stdout: 'out\n', stderr: 'err\n' })
  })

  test('arguments arrive byte by byte', async () => {
    const words = ['a b', '', '$HOME;|&<>*', 'l1\nl2', '日本語', '"q"', 'x'.repeat(100_000)]
    const { stdout } = await runToEnd(['printf', '[%s]', ...words])
    assert.equal(stdout, words.map((word) => `[${word}]`).join(''))
  })

  test('the environment is Docker’s and nothing of the host’s', async () => {
    const { id, stdout } = await runToEnd(['env'], { config: { Env: ['A=1', 'B=x y=z'] } })
    assert.deepEqual(stdout.trim().split('\n').sort(), [
      'A=1',
      'B=x y=z',
      'HOME=/root',
      `HOSTNAME=${id.slice(0, 12)}`,
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ])
  })

  test('users resolve by name and number, with their groups', async () => {
    const id = async (User: string, hostConfig = {}): Promise<string> =>
      (await runToEnd(['id'], { config: { User }, hostConfig })).stdout.trim()
    assert.equal(await id(''), 'uid=0(root) gid=0(root) groups=0(root),10(wheel)')
    assert.equal(await id('1000'), 'uid=1000 gid=0(root) groups=0(root)')
    assert.equal(await id('daemon'), 'uid=1(daemon) gid=1(daemon) groups=1(daemon)')
    assert.equal(await id('1000:7', { GroupAdd: ['4242'] }), 'uid=1000 gid=7(lp) groups=7(lp),4242')
  })

  test('a command that is missing or cannot be run is 127 or 126 with the words that clients read', async () => {
    for (const [command, code, words] of [
      ['nosuchcmd', 127, /exec: "nosuchcmd": executable file not found in \$PATH/],
      ['/no/such', 127, /exec: "\/no\/such": stat \/no\/such: no such file or directory/],
      ['/etc/passwd', 126, /exec: "\/etc\/passwd": permission denied/],
      ['/etc', 126, /exec: "\/etc": (permission denied|is a directory)/],
    ] as const) {
      const id = await t.create([command])
      await assert.rejects(startContainer(t.engine, id), (error) => {
        assert.ok(isEngineError(error, 'INVALID_ARGUMENT'), String(error))
        assert.match(error.message, words)
        return true
      })
      const { state } = getContainer(t.engine, id)
      assert.equal(state.status, 'created')
      assert.equal(state.exitCode, code)
      assert.match(state.error, words)
    }
  })

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
      const id = await t.create(['sleep', '60'])
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
    const id = await t.create(['sleep', '60'])
    await startContainer(t.engine, id)
    const { state } = getContainer(t.engine, id)
    await assert.rejects(startContainer(t.engine, id), (e) => isEngineError(e, 'NOT_MODIFIED'))
    assert.deepEqual(getContainer(t.engine, id).state, state)
    await removeContainer(t.engine, id, { force: true, volumes: false })
  })

  test('it can be started again, and logs go on', async () => {
    const { id } = await runToEnd(['echo', 'again'])
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
    const id = await t.create(['sleep', '60'])
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
    const id = await t.create(['sleep', '60'])
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
    const id = await t.create(['sleep', '60'])
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

  test('restart gives a new process and keeps a --rm container', async () => {
    const id = await t.create(['sleep', '60'], { hostConfig: { AutoRemove: true } })
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
    const id = await t.create(['sleep', '60'], {
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

  test('limits act and update changes them live', async () => {
    const id = await t.create(['sleep', '60'], {
      hostConfig: { Memory: 64 * 2 ** 20, NanoCpus: 5e8 },
    })
    await startContainer(t.engine, id)
    const read = (controller: string, file: string): string => {
      const root = isV2 ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${controller}`
      return readFileSync(`${root}${t.config.cgroupParent}/${id}/${file}`, 'utf8').trim()
    }
    const isV2 = t.engine.host.cgroups.mode === 'v2'
    const memory = (): string => read('memory', isV2 ? 'memory.max' : 'memory.limit_in_bytes')
    const quota = (): string =>
      read('cpu', isV2 ? 'cpu.max' : 'cpu.cfs_quota_us').split(' ')[0] ?? ''
    assert.equal(memory(), String(64 * 2 ** 20))
    assert.equal(quota(), '50000')
    await updateContainer(t.engine, id, { NanoCpus: 25e7, Memory: 128 * 2 ** 20, MemorySwap: -1 })
    assert.equal(memory(), String(128 * 2 ** 20))
    assert.equal(quota(), '25000')
    await removeContainer(t.engine, id, { force: true, volumes: false })
  })

  test('an OOM kill is reported in state and events', async () => {
    const { id, exitCode } = await runToEnd(['sh', '-c', 'x=a; while :; do x=$x$x; done'], {
      hostConfig: { Memory: 10 * 2 ** 20, MemorySwap: 10 * 2 ** 20 },
    })
    assert.equal(exitCode, 137)
    assert.equal(getContainer(t.engine, id).state.isOomKilled, true)
    const actions = t.engine.events
      .history(0n, 2n ** 62n, 0n, 100_000)
      .filter((event) => event.actorId === id)
      .map((event) => event.action)
    assert.deepEqual(actions, ['create', 'attach', 'start', 'oom', 'die'])
  })

  test('ps shows what runs, newest first; filters restrict', async () => {
    const a = await t.create(['sleep', '60'], { config: { Labels: { k: 'v' } } })
    const b = await t.create(['sleep', '60'], { name: 'named-one' })
    await startContainer(t.engine, a)
    await startContainer(t.engine, b)
    const ids = (filters: [string, string[]][] = [], all = false): string[] =>
      listContainers(t.engine, { all, limit: 0, filters: new Map(filters) }).map(({ id }) => id)
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

  test('--explain shows the program and makes nothing', async () => {
    const count = t.engine.containers.all().length
    const program = await explainContainer(t.engine, {
      config: { Image: 'busybox', Cmd: ['echo', 'hi'] },
      hostConfig: { NetworkMode: 'none', Binds: ['/tmp:/host:ro', 'explained:/v'] },
    })
    for (const part of ['clone', 'overlay', 'pivot_root', '/host', 'seccomp', '"echo"']) {
      assert.ok(program.includes(part), part)
    }
    assert.equal(t.engine.containers.all().length, count)
    assert.equal(t.engine.volumes.find('explained'), undefined)
  })

  test('a container shares the network, IPC and PID namespaces of another', async () => {
    const donor = await t.create(['sleep', '60'], {
      hostConfig: { IpcMode: 'shareable' },
      name: 'ns-donor',
    })
    await assert.rejects(
      startContainer(
        t.engine,
        await t.create(['true'], { hostConfig: { NetworkMode: 'container:ns-donor' } }),
      ),
      /cannot join network of a non running container/,
    )
    await startContainer(t.engine, donor)
    const { state } = getContainer(t.engine, donor)
    assert.ok(state.status === 'running')
    for (const [mode, kind] of [
      ['NetworkMode', 'net'],
      ['IpcMode', 'ipc'],
      ['PidMode', 'pid'],
    ] as const) {
      const { stdout } = await runToEnd(['readlink', `/proc/self/ns/${kind}`], {
        hostConfig: { [mode]: 'container:ns-donor' },
      })
      assert.equal(stdout.trim(), readlinkSync(`/proc/${state.pid}/ns/${kind}`), mode)
    }
    await removeContainer(t.engine, donor, { force: true, volumes: false })
  })

  test('the working directory is made, a relative one refused', async () => {
    const { stdout } = await runToEnd(['pwd'], { config: { WorkingDir: '/no/such/dir' } })
    assert.equal(stdout, '/no/such/dir\n')
    await assert.rejects(
      t.create(['pwd'], { config: { WorkingDir: 'rel' } }),
      /is invalid, it needs/,
    )
  })

  test('hosts, hostname and resolv.conf are the container’s own', async () => {
    const { stdout } = await runToEnd(['cat', '/etc/hostname', '/etc/resolv.conf', '/etc/hosts'], {
      config: { Hostname: 'hh' },
      hostConfig: { Dns: ['9.9.9.9'], ExtraHosts: ['db:10.1.2.3'] },
    })
    assert.match(stdout, /^hh\n/)
    assert.match(stdout, /^nameserver 9\.9\.9\.9$/m)
    assert.match(stdout, /^10\.1\.2\.3\s+db$/m)
  })

  test('logs -f ends with the run and has the last line; rotation loses nothing', async () => {
    const id = await t.create(
      ['sh', '-c', 'read go; i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done'],
      {
        config: { OpenStdin: true, StdinOnce: true },
        hostConfig: {
          LogConfig: { Type: 'json-file', Config: { 'max-size': '20k', 'max-file': '50' } },
        },
      },
    )
    const session = await attachContainer(t.engine, id, {
      stdin: true,
      stdout: false,
      stderr: false,
      logs: false,
      stream: true,
    })
    await startContainer(t.engine, id)
    const options = { stdout: true, stderr: true, follow: true, timestamps: false, details: false }
    const { stream } = await containerLogs(t.engine, id, options, NEVER)
    const followed = demultiplex(stream)
    ;(await session.stream)?.end('go\n')
    const expected = Array.from({ length: 3000 }, (_, index) => `line ${index}\n`).join('')
    assert.equal((await followed).stdout, expected)
    const again = await containerLogs(t.engine, id, { ...options, follow: false }, NEVER)
    assert.equal((await demultiplex(again.stream)).stdout, expected)
    const tail = await containerLogs(t.engine, id, { ...options, follow: false, tail: 400 }, NEVER)
    assert.equal((await demultiplex(tail.stream)).stdout.split('\n').length, 401)
  })

  test('stdin reaches the process and its end too', async () => {
    const id = await t.create(['cat'], {
      config: { OpenStdin: true, StdinOnce: true, AttachStdin: true },
    })
    const session = await attachContainer(t.engine, id, {
      stdin: true,
      stdout: true,
      stderr: true,
      logs: false,
      stream: true,
    })
    const exited = waitContainer(t.engine, id, 'next-exit', NEVER)
    await startContainer(t.engine, id)
    const stream = await session.stream
    assert.ok(stream)
    const data = 'x'.repeat(1_000_000)
    stream.end(data)
    assert.equal((await demultiplex(stream)).stdout.length, data.length)
    assert.equal((await exited).exitCode, 0)
  })

  test('a terminal has its size before the process runs', async () => {
    const id = await t.create(['stty', 'size'], { config: { Tty: true } })
    const session = await attachContainer(t.engine, id, {
      stdin: false,
      stdout: true,
      stderr: true,
      logs: false,
      stream: true,
    })
    await startContainer(t.engine, id, { consoleSize: { rows: 33, columns: 91 } })
    const stream = await session.stream
    assert.ok(stream)
    assert.equal(await text(stream), '33 91\r\n')
  })
})
