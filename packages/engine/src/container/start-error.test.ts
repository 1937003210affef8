import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Op, ShimError } from '@ctr/shim'
import { describeStartFailure } from './start-error.ts'

const ENOENT = 2
const EXDEV = 18
const ENOTDIR = 20
const ELOOP = 40

function describe(errno: number, detail: string, op: Op, kind: 'start' | 'exec' = 'start') {
  const cause = new ShimError({ index: 3, op: op.op, errno, detail }, 'operation 4', op)
  const { error, exitCode } = describeStartFailure(cause, 'sh', kind)
  return { message: error.message.replace(/^.*unable to start container process: /, ''), exitCode }
}

const bind: Op = {
  op: 'bind',
  source: '/data/hosts',
  target: '/etc/hosts',
  flags: 0,
  attr: 0n,
  clear: 0n,
  propagation: 0n,
}

test('a failed mount names its source and its target', () => {
  assert.deepEqual(describe(ELOOP, 'make target', bind), {
    message:
      'error during container init: error mounting "/data/hosts" to rootfs at "/etc/hosts": make target: too many levels of symbolic links: unknown',
    exitCode: 128,
  })
  assert.match(
    describe(ENOTDIR, 'move_mount', bind).message,
    /at "\/etc\/hosts": mount \/data\/hosts:\/etc\/hosts, flags: 0x5000: not a directory: unknown: Are you trying to mount a directory onto a file/,
  )
})

test('a limit of processes is told with what to do', () => {
  const clone: Op = { op: 'clone', flags: 0n, cgroup: '' } as unknown as Op
  assert.match(
    describe(11, 'clone3', clone).message,
    /clone3: EAGAIN: unknown: the limit of processes is reached: raise pids\.max/,
  )
})

test('a working directory that cannot be made or entered is named', () => {
  const mkdir: Op = { op: 'mkdir', path: '/proc/self/fd/7', mode: 0o755, uid: 0, gid: 0 }
  assert.deepEqual(describe(ENOTDIR, '', mkdir), {
    message: 'error during container init: mkdir /proc/self/fd/7: not a directory: unknown',
    exitCode: 127,
  })
  const chdir: Op = { op: 'chdir', path: '/nope' }
  assert.deepEqual(describe(ENOENT, 'chdir', chdir, 'exec'), {
    message: 'chdir to cwd ("/nope") set in config.json failed: no such file or directory: unknown',
    exitCode: 127,
  })
  assert.match(describe(EXDEV, 'outside the root', chdir).message, /outside of container mount/)
})

test('a sysctl that the kernel does not have is named by its file', () => {
  const sysctl: Op = { op: 'sysctl', key: 'net.nope.nope', value: '1' }
  assert.deepEqual(describe(ENOENT, 'open', sysctl), {
    message:
      'error during container init: open /proc/sys/net/nope/nope: no such file or directory: unknown',
    exitCode: 127,
  })
})

test('the empty word is a command that is not found', () => {
  const op: Op = { op: 'exec', args: [''], env: [] }
  const EINVAL = 22
  const cause = new ShimError(
    { index: 3, op: 'exec', errno: EINVAL, detail: '' },
    'operation 4',
    op,
  )
  const { error, exitCode } = describeStartFailure(cause, '', 'start')
  assert.match(error.message, /exec: "": executable file not found in \$PATH: unknown$/)
  assert.equal(exitCode, 127)
})
