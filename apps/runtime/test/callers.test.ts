import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readMountInfo } from '@ctr/linux'
import { RUNTIME, SLOW, TestBundle, testCriu, until } from './bundle.ts'

const criu = await testCriu()

const has = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function run(command: readonly string[], o: { input?: string; env?: object } = {}): Run {
  const [file = '', ...args] = command
  const { status, stdout, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    input: o.input ?? '',
    timeout: 120_000 * SLOW,
    env: { ...process.env, ...o.env },
  })
  return { code: status, out: stdout, err: stderr }
}

/** Image archive of the test bundle's root filesystem. */
function makeArchive(bundle: TestBundle): string {
  const archive = join(bundle.dir, 'image.tar')
  execFileSync('tar', ['-C', join(bundle.dir, 'rootfs'), '-cf', archive, '.'])
  return archive
}

/** Requires root. What every caller must get, whatever it is. */
function contract(engine: (...args: string[]) => string[], options: readonly string[]): void {
  const start = (...args: string[]): string[] => engine('run', '--rm', ...options, ...args)

  it('runs a container: output, input, status', () => {
    const result = run(engine('run', '--rm', '-i', ...options, 'bb', 'sh', '-c', 'cat; exit 7'), {
      input: 'hello',
    })
    assert.deepEqual([result.code, result.out], [7, 'hello'], result.err)
  })

  it('tells apart a missing program and one that cannot run', () => {
    const missing = run(start('bb', 'nosuch'))
    assert.equal(missing.code, 127)
    assert.match(missing.err, /executable file not found in \$PATH/)
    const denied = run(start('bb', '/etc/passwd'))
    assert.equal(denied.code, 126)
    assert.match(denied.err, /permission denied/)
  })

  it('has a terminal', () => {
    const command = engine('run', '--rm', '-t', ...options, 'bb', 'tty').join(' ')
    const { out } = run(['script', '-qec', command, '/dev/null'])
    assert.match(out, /\/dev\/pts\/0/)
  })

  it('execs, pauses, stops, removes', () => {
    const loop = 'trap "exit 3" TERM; while :; do sleep 0.05; done'
    const created = run(engine('run', '-d', '--name', 'c1', ...options, 'bb', 'sh', '-c', loop))
    assert.equal(created.code, 0, created.err)
    assert.equal(run(engine('exec', 'c1', 'sh', '-c', 'exit 9')).code, 9)
    assert.equal(run(engine('exec', '-i', 'c1', 'cat'), { input: 'x' }).out, 'x')
    assert.ok([126, 127].includes(run(engine('exec', 'c1', 'nosuch')).code ?? 0)) // dockerd 20.10: 126
    assert.equal(run(engine('exec', '-d', 'c1', 'sleep', '77')).code, 0)
    // podman does not wait for the program of a detached exec.
    let processes = ''
    for (let i = 0; i < 100 && !processes.includes('sleep 77'); i++) {
      processes = run(engine('top', 'c1')).out
    }
    assert.match(processes, /sleep 77/)
    assert.equal(run(engine('pause', 'c1')).code, 0)
    assert.notEqual(run(engine('exec', 'c1', 'true')).code, 0)
    assert.equal(run(engine('unpause', 'c1')).code, 0)
    assert.equal(run(engine('stop', '-t', '10', 'c1')).code, 0)
    const state = run(engine('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'c1'))
    assert.equal(state.out, 'exited 3\n')
    assert.equal(run(engine('start', 'c1')).code, 0)
    assert.equal(run(engine('kill', 'c1')).code, 0)
    assert.equal(run(engine('wait', 'c1')).out, '137\n')
    assert.equal(run(engine('rm', 'c1')).code, 0)
  })

  it('obeys limits and security options', () => {
    const script = 'grep -E "^(CapEff|Seccomp|NoNewPrivs):" /proc/self/status; id -u'
    const { out } = run(
      start(
        '-u',
        '5',
        '--cap-drop',
        'ALL',
        '--security-opt',
        'no-new-privileges',
        'bb',
        'sh',
        '-c',
        script,
      ),
    )
    assert.equal(out, 'CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n5\n')
    const grow = 'a=x; while :; do a=$a$a; done'
    const killed = run(start('-m', '16m', '--memory-swap', '16m', 'bb', 'sh', '-c', grow))
    assert.equal(killed.code, 137, killed.err)
  })
}

describe('podman', { timeout: 600_000 * SLOW, skip: !has('podman') || !has('conmon') }, () => {
  let bundle: TestBundle
  // Its conmon leaves a file `oom` where it was started.
  const podman = (...args: string[]): string[] => [
    'env',
    `--chdir=${bundle.dir}`,
    'podman',
    '--root',
    join(bundle.dir, 'podman'),
    '--runroot',
    join(bundle.dir, 'podman-run'),
    '--storage-driver',
    'vfs',
    '--cgroup-manager',
    'cgroupfs',
    '--runtime',
    RUNTIME,
    ...args,
  ]
  before(() => {
    bundle = new TestBundle()
    const imported = run(podman('import', makeArchive(bundle), 'bb'))
    assert.equal(imported.code, 0, imported.err)
  })
  after(() => {
    run(podman('rm', '-af', '-t', '0'))
    for (const { mountpoint } of readMountInfo()) {
      if (mountpoint.startsWith(bundle.dir)) execFileSync('umount', [mountpoint])
    }
    bundle[Symbol.dispose]()
  })

  // podman asks for more than hard limits of unprivileged machines allow.
  contract(podman, [
    '--network',
    'none',
    '--ulimit',
    'nofile=1024:4096',
    '--ulimit',
    'nproc=1024:4096',
  ])

  const noCriu =
    criu === undefined ? 'needs criu 4: CTR_TEST_CRIU, or sh scripts/fetch-criu.sh' : false
  it('checkpoints a container and restores it', { skip: noCriu }, async () => {
    // podman looks for it by its name.
    const directory = join(bundle.dir, 'criu-bin')
    mkdirSync(directory)
    symlinkSync(criu ?? '', join(directory, 'criu'))
    const env = { PATH: `${directory}:${process.env['PATH'] ?? ''}` }
    const succeed = (...args: string[]): string => {
      const { code, out, err } = run(podman(...args), { env })
      assert.equal(code, 0, err)
      return out.trim()
    }
    const count = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'
    const limits = ['--ulimit', 'nofile=1024:4096', '--ulimit', 'nproc=1024:4096']
    succeed('run', '-d', '--name', 'ck', '--network', 'none', ...limits, 'bb', 'sh', '-c', count)
    const numbers = (): number[] => succeed('logs', 'ck').split('\n').map(Number)
    await until(() => numbers().length > 3, 'the first numbers')
    succeed('container', 'checkpoint', 'ck')
    const saved = numbers().length
    succeed('container', 'restore', 'ck')
    await until(() => numbers().length > saved + 3, 'numbers after the restore')
    const all = numbers()
    assert.deepEqual(
      all,
      all.map((_, index) => index + 1),
    )
  })
})

describe('dockerd', { timeout: 600_000 * SLOW, skip: !has('dockerd') || !has('docker') }, () => {
  let dir: string
  let bundle: TestBundle
  let daemon: ChildProcess
  const docker = (...args: string[]): string[] => [
    'docker',
    '-H',
    `unix://${dir}/s`,
    ...args.slice(0, 1),
    ...(args[0] === 'run' ? ['--runtime', 'ctr', '--network', 'none'] : []),
    ...args.slice(1),
  ]
  before(async () => {
    bundle = new TestBundle()
    dir = mkdtempSync('/tmp/ctr-runtime-dockerd-')
    daemon = spawn(
      'dockerd',
      [
        '--data-root',
        `${dir}/data`,
        '--exec-root',
        `${dir}/exec`,
        '-H',
        `unix://${dir}/s`,
        '--pidfile',
        `${dir}/pid`,
        '--bridge=none',
        '--iptables=false',
        '--ip-forward=false',
        '--storage-driver',
        'vfs',
        '--add-runtime',
        `ctr=${RUNTIME}`,
      ],
      { stdio: 'ignore' },
    )
    await until(() => run(docker('version')).code === 0, 'dockerd answers')
    assert.equal(run(docker('import', makeArchive(bundle), 'bb')).code, 0)
  })
  after(async () => {
    run(['sh', '-c', `docker -H unix://${dir}/s rm -f $(docker -H unix://${dir}/s ps -aq)`])
    const ended = new Promise((resolve) => daemon.on('exit', resolve))
    daemon.kill('SIGTERM')
    await ended
    for (const { mountpoint } of readMountInfo().reverse()) {
      if (mountpoint.startsWith(dir)) execFileSync('umount', [mountpoint])
    }
    rmSync(dir, { recursive: true, force: true })
    bundle[Symbol.dispose]()
  })

  contract(docker, [])

  it('changes limits of a running container', () => {
    const started = run(docker('run', '-d', '--name', 'up', '-m', '64m', 'bb', 'sleep', '1000'))
    assert.equal(started.code, 0, started.err)
    const updated = run(
      docker('update', '-m', '32m', '--memory-swap', '32m', '--pids-limit', '20', 'up'),
    )
    assert.equal(updated.code, 0, updated.err)
    assert.equal(run(docker('rm', '-f', 'up')).code, 0)
  })
})

describe('containerd', {
  timeout: 600_000 * SLOW,
  skip: !has('containerd') || !has('/usr/bin/ctr'),
}, () => {
  let dir: string
  let bundle: TestBundle
  let daemon: ChildProcess
  const ctr = (...args: string[]): string[] => ['/usr/bin/ctr', '-a', `${dir}/s`, ...args]
  const options = ['--runc-binary', RUNTIME, '--rootfs']
  before(async () => {
    bundle = new TestBundle()
    dir = mkdtempSync('/tmp/ctr-runtime-cd-')
    writeFileSync(
      `${dir}/config.toml`,
      `version = 2
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${dir}/s"
[ttrpc]
  address = "${dir}/t"
`,
    )
    daemon = spawn('containerd', ['-c', `${dir}/config.toml`], { stdio: 'ignore' })
    await until(() => run(ctr('version')).code === 0, 'containerd answers')
  })
  after(async () => {
    const ended = new Promise((resolve) => daemon.on('exit', resolve))
    daemon.kill('SIGTERM')
    await ended
    rmSync(dir, { recursive: true, force: true })
    bundle[Symbol.dispose]()
  })

  it('runs, execs, pauses and kills', async () => {
    const rootfs = join(bundle.dir, 'rootfs')
    const once = run(
      ctr('run', '--rm', ...options, rootfs, 'r1', '/bin/sh', '-c', 'echo hi; exit 7'),
    )
    assert.deepEqual([once.code, once.out], [7, 'hi\n'], once.err)
    const started = run(ctr('run', '-d', ...options, rootfs, 'r2', '/bin/sleep', '100'))
    assert.equal(started.code, 0, started.err)
    const exec = run(
      ctr('tasks', 'exec', '--exec-id', 'e1', 'r2', '/bin/sh', '-c', 'echo e; exit 3'),
    )
    assert.deepEqual([exec.code, exec.out], [3, 'e\n'], exec.err)
    assert.equal(run(ctr('tasks', 'pause', 'r2')).code, 0)
    assert.match(run(ctr('tasks', 'ls')).out, /r2 .*PAUSED/)
    assert.equal(run(ctr('tasks', 'resume', 'r2')).code, 0)
    assert.equal(run(ctr('tasks', 'kill', '-s', 'KILL', 'r2')).code, 0)
    await until(() => /r2 .*STOPPED/.test(run(ctr('tasks', 'ls')).out), 'stopped')
    run(ctr('tasks', 'rm', 'r2'))
    assert.equal(run(ctr('containers', 'rm', 'r2')).code, 0)
  })
})
