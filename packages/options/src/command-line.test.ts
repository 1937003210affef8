import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ExecCommand, type RunCommand, readCommandLine } from './command-line.ts'
import { RUN_FLAGS } from './container-flags.ts'
import { EXEC_FLAGS } from './exec-flags.ts'

function run(...words: string[]): RunCommand | undefined {
  const command = readCommandLine(words)
  assert.notEqual(command?.kind, 'exec')
  return command as RunCommand | undefined
}

function exec(...words: string[]): ExecCommand | undefined {
  const command = readCommandLine(words)
  assert.notEqual(command?.kind, 'run')
  return command as ExecCommand | undefined
}

void describe('a command line that is read elsewhere', () => {
  void it('run: the request of its options', () => {
    const command = run(
      'run',
      '--rm',
      '-m',
      '64m',
      '-e',
      'A=1',
      '-v',
      '/etc:/host:ro',
      'busybox',
      'ls',
      '-l',
    )
    assert.equal(command?.path, 'ctr run')
    assert.equal(command.isDetached, false)
    assert.equal(command.isProxied, true)
    const { body } = command.request
    assert.equal(body.Image, 'busybox')
    assert.deepEqual(body.Cmd, ['ls', '-l'])
    assert.deepEqual(body.Env, ['A=1'])
    assert.equal(body.AttachStdout, true)
    const { AutoRemove, Memory, Binds } = body.HostConfig
    assert.deepEqual(
      { AutoRemove, Memory, Binds },
      { AutoRemove: true, Memory: 64 << 20, Binds: ['/etc:/host:ro'] },
    )
  })

  void it('run: the path as typed, signals, the background', () => {
    assert.equal(run('container', 'run', 'busybox')?.path, 'ctr container run')
    assert.equal(run('run', '--sig-proxy=false', 'busybox')?.isProxied, false)
    const detached = run('run', '-d', 'busybox', 'sleep', '1')
    assert.equal(detached?.isDetached, true)
    assert.equal(detached.request.body.AttachStdout, false)
  })

  void it('run: an absolute path is one anywhere', () => {
    assert.equal(
      run('run', '--rootfs', '/srv/../srv/x:O', 'true')?.request.body.HostConfig.Rootfs,
      '/srv/x:O',
    )
  })

  void it('exec: container, configuration, whether it is held', () => {
    const command = exec('exec', '-u', '1', '-w', '/tmp', 'web', 'ls', '-a')
    assert.equal(command?.container, 'web')
    assert.equal(command.isHeld, true)
    assert.deepEqual(command.config.Cmd, ['ls', '-a'])
    assert.equal(command.config.User, '1')
    assert.equal(exec('container', 'exec', '--keep', 'web', 'ls')?.isHeld, false)
  })
})

/** Each for another reason. */
const OF_THE_CLIENT: readonly (readonly string[])[] = [
  // Another command, or none.
  [],
  ['ps'],
  ['container'],
  ['container', 'ls'],
  ['constructor'],
  // What is to be said: help, wrong words, too few of them.
  ['run'],
  ['run', '--help'],
  ['run', '--no-such-flag', 'busybox'],
  ['run', '--memory', 'much', 'busybox'],
  ['run', 'BUSYBOX'],
  ['run', '--platform', 'nope', 'busybox'],
  ['run', '--rm', '--restart', 'always', 'busybox'],
  ['exec', 'web'],
  ['exec', '--help'],
  // A terminal, or input.
  ['run', '-it', 'busybox'],
  ['run', '-i', 'busybox'],
  ['run', '-a', 'stdin', 'busybox'],
  ['run', '--detach-keys', 'ctrl-x', 'busybox'],
  ['exec', '-i', 'web', 'cat'],
  ['exec', '-t', 'web', 'top'],
  // Files, environment and current directory.
  ['run', '--env-file', '/etc/hostname', 'busybox'],
  ['run', '--label-file', '/etc/hostname', 'busybox'],
  ['run', '-e', 'HOME', 'busybox'],
  ['run', '-v', './x:/x', 'busybox'],
  ['run', '--mount', 'type=bind,src=.,dst=/x', 'busybox'],
  ['run', '--rootfs', 'x', 'true'],
  ['run', '--security-opt', 'seccomp=/etc/hostname', 'busybox'],
  ['run', '--cidfile', '/tmp/id', 'busybox'],
  ['exec', '-e', 'HOME', 'web', 'env'],
  ['exec', '--env-file', '/etc/hostname', 'web', 'env'],
  // What the client does beside the request.
  ['run', '--pull', 'always', 'busybox'],
  ['run', '--pull', 'sometimes', 'busybox'],
  ['run', '--explain', 'busybox'],
  ['run', '--timing', 'busybox'],
  ['run', '-d', '--wait', 'busybox'],
  ['run', '-d', '-a', 'stdout', 'busybox'],
  ['run', '--use-api-socket', 'busybox'],
  ['run', '--cpu-count', '1', 'busybox'],
  ['exec', '-d', 'web', 'true'],
  ['exec', 'ls', 'web'],
  ['exec', 'attach', '1f2e3d'],
  ['exec', 'kill', '1f2e3d'],
]

void describe('the client is needed for', () => {
  for (const words of OF_THE_CLIENT) {
    void it(JSON.stringify(words.join(' ')), () => assert.equal(readCommandLine(words), undefined))
  }
})

void it('a flag of the client is one wherever it stands', () => {
  for (const flag of RUN_FLAGS.filter(({ ofClient }) => ofClient === true)) {
    assert.equal(readCommandLine(['run', `--${flag.name}=1`, 'busybox']), undefined, flag.name)
  }
  for (const flag of EXEC_FLAGS.filter(({ ofClient }) => ofClient === true)) {
    assert.equal(readCommandLine(['exec', `--${flag.name}=1`, 'web', 'ls']), undefined, flag.name)
  }
})
