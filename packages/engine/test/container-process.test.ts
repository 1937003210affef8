// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { readFileSync, readlinkSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import {
  attachContainer,
  containerLogs,
  explainContainer,
  getContainer,
  removeContainer,
  startContainer,
  updateContainer,
  waitContainer,
} from '@ctr/engine'
import { isEngineError } from '@ctr/errdefs'
import { demultiplex, NEVER, TestEngine, text } from './support.ts'

describe('the process of a container', () => {
  let t: TestEngine
  before(async () => {
    t = await TestEngine.open()
  })
  after(() => t[Symbol.asyncDispose]())

  test('a client that attached before the start gets every byte, and wait gives the code', async () => {
    const run = await t.run(['sh', '-c', 'echo out; echo err >&2; exit 7'])
    assert.deepEqual({ ...run, id: '' }, { id: '', exitCode: 7, stdout: 'out\n', stderr: 'err\n' })
    assert.equal(t.status(run.id), 'exited')
  })

  test('the log has both streams apart', async () => {
    const { id } = await t.run(['sh', '-c', 'echo out; echo err >&2'])
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
    const { stdout } = await t.run(['printf', '[%s]', ...words])
    assert.equal(stdout, words.map((word) => `[${word}]`).join(''))
  })

  test('the environment is Docker’s and nothing of the host’s', async () => {
    const { id, stdout } = await t.run(['env'], { config: { Env: ['A=1', 'B=x y=z'] } })
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
      (await t.run(['id'], { config: { User }, hostConfig })).stdout.trim()
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
  test('limits act and update changes them live', async () => {
    const id = await t.create(['sleep', '1000'], {
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
    const { id, exitCode } = await t.run(['sh', '-c', 'x=a; while :; do x=$x$x; done'], {
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
    const donor = await t.create(['sleep', '1000'], {
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
      const { stdout } = await t.run(['readlink', `/proc/self/ns/${kind}`], {
        hostConfig: { [mode]: 'container:ns-donor' },
      })
      assert.equal(stdout.trim(), readlinkSync(`/proc/${state.pid}/ns/${kind}`), mode)
    }
    await removeContainer(t.engine, donor, { force: true, volumes: false })
  })

  test('the working directory is made, a relative one refused', async () => {
    const { stdout } = await t.run(['pwd'], { config: { WorkingDir: '/no/such/dir' } })
    assert.equal(stdout, '/no/such/dir\n')
    await assert.rejects(
      t.create(['pwd'], { config: { WorkingDir: 'rel' } }),
      /is invalid, it needs/,
    )
  })

  test('hosts, hostname and resolv.conf are the container’s own', async () => {
    const { stdout } = await t.run(['cat', '/etc/hostname', '/etc/resolv.conf', '/etc/hosts'], {
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
