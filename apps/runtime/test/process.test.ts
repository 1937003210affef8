import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, it } from 'node:test'
import { message, RUNTIME, SUITE_MS, TestBundle, until } from './bundle.ts'

/** One message with a descriptor; Node receives none. */
const PIDFD_RECEIVER = `
import os, re, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1] + '.tmp')
server.listen(1)
os.rename(sys.argv[1] + '.tmp', sys.argv[1])
name, fds, _, _ = socket.recv_fds(server.accept()[0], 100, 1)
print(name.decode(), re.search(r'Pid:\\t(\\d+)', open(f'/proc/self/fdinfo/{fds[0]}').read()).group(1))
`

/** Requires root. */
describe('processes', { timeout: SUITE_MS }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  beforeEach(() => bundle.configure({}))
  after(() => bundle[Symbol.dispose]())

  const shell = (script: string, more: object = {}): void =>
    bundle.configure({}, { args: ['sh', '-c', script], ...more })

  it('passes stdio and the exit status', async () => {
    shell('cat; echo err >&2; exit 7')
    const result = await bundle.runWith({ input: 'in' }, 'run', bundle.id('a'))
    assert.deepEqual([result.code, result.stdout, result.stderr], [7, 'in', 'err\n'])
    shell('kill -9 $$; exec sleep 0.01; kill -9 1')
    assert.deepEqual(bundle.containers(), [])
    assert.deepEqual(bundle.cgroups(), [])
  })

  it('is PID 1 with three descriptors, loopback up, HOME of its user', async () => {
    shell('echo $$ $HOME; ls /proc/self/fd | wc -l; ip addr show lo | grep -c "127.0.0.1/8"')
    assert.equal((await bundle.run('run', bundle.id('a'))).stdout, '1 /root\n4\n1\n')
  })

  it('keeps nothing of the host or of its mounts open while it waits for its start', async () => {
    const id = bundle.id('waits')
    assert.equal((await bundle.run('create', id)).code, 0)
    const { pid } = await bundle.state(id)
    const open = readdirSync(`/proc/${pid}/fd`)
      .filter((fd) => Number(fd) > 2)
      .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      .filter((path) => !/^(socket|pipe|anon_inode):|\/exec\.fifo$/.test(path))
    // Its own root.
    assert.deepEqual(open, ['/'])
    await bundle.run('delete', '--force', id)
  })

  it('preserves descriptors on request', async () => {
    const fds = ['one', 'two'].map((text) => {
      writeFileSync(join(bundle.dir, text), text)
      return openSync(join(bundle.dir, text), 'r')
    })
    shell('cat <&3; cat <&4; ls /proc/self/fd | wc -l')
    const all = await bundle.runWith({ fds }, 'run', '--preserve-fds', '2', bundle.id('a'))
    assert.equal(all.stdout, 'onetwo6\n')
    const none = await bundle.runWith({ fds }, 'run', bundle.id('a'))
    assert.equal(none.stdout, '4\n')
    for (const fd of fds) closeSync(fd)
  })

  it('gives its pidfd to who asks for it, of the init process and of an exec', async () => {
    shell('sleep 600')
    const id = bundle.id('pidfd')
    const socket = join(bundle.dir, 'pidfd.sock')
    const receive = async (...args: string[]): Promise<[name: string, pid: number]> => {
      const receiver = spawn('python3', ['-c', PIDFD_RECEIVER, socket], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await until(() => existsSync(socket), 'the receiver listens')
      const output = text(receiver.stdout)
      const result = await bundle.run(...args)
      assert.equal(result.code, 0, result.stderr)
      const [name = '', pid = ''] = (await output).split(' ')
      rmSync(socket)
      return [name, Number(pid)]
    }
    const init = await receive('run', '-d', '--pidfd-socket', socket, id)
    assert.deepEqual(init, ['standard', (await bundle.state(id)).pid])
    const file = join(bundle.dir, 'exec.pid')
    const flags = ['-d', '--pidfd-socket', socket, '--pid-file', file]
    const exec = await receive('exec', ...flags, id, 'sleep', '600')
    assert.deepEqual(exec, ['setns', Number(readFileSync(file, 'utf8'))])
    await bundle.run('delete', '--force', id)
    const nobody = await bundle.run('run', '--pidfd-socket', '/nosuch', bundle.id('nobody'))
    assert.match(message(nobody), /pidfd_socket \/nosuch.*ENOENT/)
  })

  it('forwards signals in the foreground', async () => {
    shell('trap "exit 6" TERM; echo ready >/tmp/ready; while :; do sleep 0.02; done')
    const child = spawn(RUNTIME, ['--root', bundle.root, 'run', bundle.id('sig')], {
      cwd: bundle.dir,
      stdio: 'ignore',
    })
    const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
    const ready = join(bundle.dir, 'rootfs/tmp/ready')
    await until(() => readIfThere(ready) === 'ready\n', 'the trap is set')
    child.kill('SIGTERM')
    assert.equal(await exited, 6)
  })

  it('relays the terminal in the foreground', () => {
    shell('tty; stty size; read line; echo "got $line"; exit 4', { terminal: true })
    const command = `stty rows 33 cols 77; ${RUNTIME} --root ${bundle.root} run ${bundle.id('tty')}; echo status $?; stty -a`
    const out = execFileSync('script', ['-qec', command, '/dev/null'], {
      cwd: bundle.dir,
      input: 'hello\n',
      encoding: 'utf8',
    })
    assert.match(out, /\/dev\/pts\/0\r\n33 77\r\n/)
    assert.match(out, /got hello\r\nstatus 4\r\n/)
    assert.match(out, / icanon .* echo /, 'the terminal is as it was')
  })

  it('says on stderr what fails behind the gate', async () => {
    writeFileSync(join(bundle.dir, 'rootfs/bin/broken'), 'no program', { mode: 0o755 })
    bundle.configure({}, { args: ['broken'] })
    const result = await bundle.run('run', bundle.id('a'))
    assert.equal(result.code, 1)
    assert.match(result.stderr, /^exec \/bin\/broken: exec format error$/m)
  })

  describe('exec', () => {
    const id = (): string => bundle.id('exec')
    before(async () => {
      bundle.configure({})
      assert.equal((await bundle.run('run', '-d', id())).code, 0)
    })
    after(async () => {
      await bundle.run('delete', '--force', id())
    })

    it('runs in the namespaces and the cgroup, passes stdio and status', async () => {
      const result = await bundle.runWith(
        { input: 'x' },
        'exec',
        id(),
        'sh',
        '-c',
        'cat; hostname; cat /proc/self/cgroup; exit 9',
      )
      assert.equal(result.code, 9)
      assert.match(result.stdout, /^xrunc\n/)
      assert.match(result.stdout, new RegExp(`^(.*:pids:.*|0::)/ctr-runtime/${id()}$`, 'm'))
      assert.equal((await bundle.run('exec', id(), 'sh', '-c', 'kill -9 $$')).code, 137)
    })

    it('takes user, directory, environment, capabilities', async () => {
      const { stdout } = await bundle.run(
        'exec',
        '-u',
        '12:13',
        '-g',
        '4',
        '--cwd',
        '/tmp',
        '-e',
        'A=b',
        '-c',
        'CAP_CHOWN',
        id(),
        'sh',
        '-c',
        'id; pwd; echo $A; grep -E "CapBnd|NoNewPrivs" /proc/self/status',
      )
      assert.equal(
        stdout,
        'uid=12 gid=13 groups=4\n/tmp\nb\nCapBnd:\t0000000020000421\nNoNewPrivs:\t1\n',
      )
    })

    it('takes a process from a file', async () => {
      const file = join(bundle.dir, 'process.json')
      const process = { user: { uid: 5, gid: 6 }, cwd: '/', args: ['id'], env: ['PATH=/bin'] }
      writeFileSync(file, JSON.stringify(process))
      assert.equal((await bundle.run('exec', '-p', file, id())).stdout, 'uid=5 gid=6\n')
    })

    it('detaches and writes the pid', async () => {
      const pidFile = join(bundle.dir, 'exec-pid')
      const result = await bundle.run('exec', '-d', '--pid-file', pidFile, id(), 'sleep', '77')
      assert.equal(result.code, 0)
      const pid = Number(readFileSync(pidFile, 'utf8'))
      assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), 'sleep\x0077\0')
      const pids = JSON.parse((await bundle.run('ps', '-f', 'json', id())).stdout) as number[]
      assert.ok(pids.includes(pid))
      assert.match((await bundle.run('ps', id())).stdout, /^UID .*\n.* sleep 1000\n.* sleep 77\n$/)
      process.kill(pid, 'SIGKILL')
    })

    it('fails with status 255 and the reason', async () => {
      const cases: [string[], string][] = [
        [['exec', id(), 'nosuch'], 'exec: "nosuch": executable file not found in $PATH'],
        [['exec', id(), '/nosuch'], 'exec: "/nosuch": stat /nosuch: no such file or directory'],
        [['exec', id(), '/etc/passwd'], 'exec: "/etc/passwd": permission denied'],
        [
          ['exec', '--cwd', '/no', id(), 'ls'],
          'chdir to cwd ("/no") set in config.json failed: no such file or directory',
        ],
      ]
      for (const [args, reason] of cases) {
        const result = await bundle.run(...args)
        assert.equal(result.code, 255)
        assert.equal(message(result), `exec failed: unable to start container process: ${reason}`)
      }
    })
  })
})

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
