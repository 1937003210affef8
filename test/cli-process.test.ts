import assert from 'node:assert/strict'
import { readFileSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { requires, run, waitFor } from '@ctr/testkit'
import type { CommandCase } from './daemon-fixture.ts'
import { checkResult, inBusybox, pidOf, sleeper, status, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

test('pid 1 is the program of the user', { skip }, async () => {
  await sleeper(ctrd(), 'p1')
  const pid = await pidOf(ctrd(), 'p1')
  assert.equal(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'sleep\n')
  assert.equal(readlinkSync(`/proc/${pid}/exe`), '/bin/busybox')
  assert.equal(await ctrd().ok(['exec', 'p1', 'cat', '/proc/1/comm']), 'sleep')
})

const words = ['a b', '', '$HOME;|&<>*', 'l1\nl2', '日本語', '"q"', "it's", '\\n', '--', '-x']
test('arguments arrive byte for byte', { skip }, async () => {
  const out = await ctrd().ctr(['run', '--rm', 'busybox', 'printf', '[%s]\\n', ...words])
  checkResult({ stdout: words.map((word) => `[${word}]\n`).join('') }, out)
})

test('an argument of 100 KB and fifty thousand arguments arrive', { skip }, async () => {
  const long = 'a'.repeat(100_000)
  assert.equal(
    await ctrd().ok(['run', '--rm', 'busybox', 'sh', '-c', 'echo ${#1}', 'x', long]),
    '100000',
  )
  const many = Array.from({ length: 50_000 }, (_, index) => String(index))
  assert.equal(
    await ctrd().ok(['run', '--rm', 'busybox', 'sh', '-c', 'echo $#', 'x', ...many]),
    '50000',
  )
})

test('argv[0] is what the user wrote', { skip }, async () => {
  const { stdout } = await ctrd().ctr(['run', '--rm', 'busybox', 'cat', '/proc/self/cmdline'])
  assert.equal(stdout, 'cat\0/proc/self/cmdline\0')
})

const startErrors: (CommandCase & { code: number })[] = [
  {
    name: 'a command that is not on the PATH',
    args: ['nosuchcmd'],
    code: 127,
    stderr: /exec: "nosuchcmd": executable file not found in \$PATH/,
  },
  {
    name: 'a path that does not exist',
    args: ['/no/such'],
    code: 127,
    stderr: /exec: "\/no\/such": stat \/no\/such: no such file or directory/,
  },
  {
    name: 'a file that is no program',
    args: ['/etc/passwd'],
    code: 126,
    stderr: /exec: "\/etc\/passwd": permission denied/,
  },
  {
    name: 'a directory',
    args: ['/etc'],
    code: 126,
    stderr: /exec: "\/etc": (is a directory|permission denied)/,
  },
]
for (const { name, args, code, stderr } of startErrors) {
  test(`${name} ends with ${code} and leaves nothing with --rm`, { skip }, async () => {
    const result = await ctrd().ctr(['run', '--rm', 'busybox', ...args])
    checkResult({ code, stdout: '', ...(stderr === undefined ? {} : { stderr }) }, result)
    assert.match(result.stderr, /^docker|^ctr: Error response from daemon: /)
    assert.equal(await ctrd().ok(['ps', '-aq']), '')
  })
}

test('a container whose program could not start stays as created, with its code', {
  skip,
}, async () => {
  await ctrd().ctr(['run', '--name', 'bad', 'busybox', 'nosuchcmd'])
  assert.equal(await status(ctrd(), 'bad'), 'created 127')
})

test('-e sets and copies variables, and nothing else comes from outside', { skip }, async () => {
  const env = { FOO: 'from client', SECRET: 'x' }
  const args = [
    'run',
    '--rm',
    '-e',
    'A=1',
    '-e',
    'B=x y=z',
    '-e',
    'FOO',
    '-e',
    'UNSET',
    'busybox',
    'env',
  ]
  const { stdout } = await ctrd().ctr(args, { env })
  const lines = stdout.trimEnd().split('\n')
  const names = lines.map((line) => line.split('=')[0] ?? '').toSorted()
  assert.deepEqual(names, ['A', 'B', 'FOO', 'HOME', 'HOSTNAME', 'PATH'])
  for (const line of ['A=1', 'B=x y=z', 'FOO=from client', 'HOME=/root'])
    assert.ok(lines.includes(line), line)
})

const users: { user: string; id: RegExp }[] = [
  { user: 'root', id: /^uid=0\(root\) gid=0\(root\)/ },
  { user: '1000', id: /^uid=1000 gid=0\(root\)/ },
  { user: 'root:root', id: /^uid=0\(root\) gid=0\(root\)/ },
  { user: '0:0', id: /^uid=0\(root\) gid=0\(root\)/ },
  { user: 'root:7', id: /^uid=0\(root\) gid=7/ },
  { user: '7:root', id: /^uid=7.* gid=0\(root\)/ },
]
for (const { user, id } of users) {
  test(`-u ${user} is the user inside`, { skip }, async () => {
    assert.match(await ctrd().ok(['run', '--rm', '-u', user, 'busybox', 'id']), id)
  })
}

const badUsers: [string, RegExp][] = [
  ['nosuch', /unable to find user nosuch: no matching entries in passwd file/],
  ['root:nosuch', /unable to find group nosuch: no matching entries in group file/],
  ['-1', /uids and gids must be in range 0-2147483647|unable to find user/],
  ['99999999999', /uids and gids must be in range 0-2147483647|out of range/],
  ['4294967296', /uids and gids must be in range 0-2147483647|out of range/],
]
for (const [user, stderr] of badUsers) {
  test(`-u ${user} is refused`, { skip }, async () => {
    const result = await ctrd().ctr(['run', '--rm', `--user=${user}`, 'busybox', 'id'])
    assert.ok(result.code === 125 || result.code === 126, String(result.code))
    assert.match(result.stderr, stderr)
    assert.equal(await ctrd().ok(['ps', '-aq']), '')
  })
}

test('--group-add gives further groups', { skip }, async () => {
  const out = await ctrd().ok(['run', '--rm', '--group-add', '4242', 'busybox', 'id', '-G'])
  assert.ok(out.split(' ').includes('4242'), out)
})

test('-w makes a missing directory, and refuses a relative one', { skip }, async () => {
  assert.equal(await ctrd().ok(['run', '--rm', 'busybox', 'pwd']), '/')
  assert.equal(
    await ctrd().ok(['run', '--rm', '-w', '/no/such/dir', 'busybox', 'pwd']),
    '/no/such/dir',
  )
  const result = await ctrd().ctr(['run', '--rm', '-w', 'rel', 'busybox', 'pwd'])
  checkResult(
    { code: 125, stderr: /working directory 'rel' is invalid, it needs to be an absolute path/ },
    result,
  )
})
test('the exit code of the program is the exit code of run', { skip }, async () => {
  for (const code of [0, 1, 7, 125, 255]) {
    checkResult({ code }, await ctrd().ctr(['run', '--rm', 'busybox', 'sh', '-c', `exit ${code}`]))
  }
})

test('a program killed by a signal ends run with 128 and its number', { skip }, async () => {
  await sleeper(ctrd(), 'kk')
  await ctrd().ok(['kill', '-s', 'KILL', 'kk'])
  assert.equal(await ctrd().ok(['wait', 'kk']), '137')
  assert.equal(await status(ctrd(), 'kk'), 'exited 137')
})
test('a program cannot kill its own pid 1', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'init', 'busybox', 'sh', '-c', 'kill -9 $$; sleep 300'])
  await ctrd().ok(['exec', 'init', 'sh', '-c', 'kill -9 1; true'])
  assert.equal(await status(ctrd(), 'init'), 'running 0')
})
test('exec sees the environment and the cgroup, and passes its exit code', { skip }, async () => {
  await sleeper(ctrd(), 'ee', '-e', 'A=from run')
  const out = await ctrd().ctr(['exec', '-e', 'B=2', 'ee', 'sh', '-c', 'echo $A $B; exit 9'])
  checkResult({ code: 9, stdout: 'from run 2\n' }, out)
  const inside = await ctrd().ok(['exec', 'ee', 'cat', '/proc/self/cgroup'])
  assert.equal(inside, await ctrd().ok(['exec', 'ee', 'cat', '/proc/1/cgroup']))
})

test('exec of a missing program and of a file that is none have codes 127 and 126', {
  skip,
}, async () => {
  await sleeper(ctrd(), 'ee')
  checkResult({ code: 127 }, await ctrd().ctr(['exec', 'ee', 'nosuch']))
  checkResult({ code: 126 }, await ctrd().ctr(['exec', 'ee', '/etc/passwd']))
})

test('exec in a stopped container is an error', { skip }, async () => {
  await ctrd().ok(['run', '--name', 'done', 'busybox', 'true'])
  checkResult(
    { code: 1, stderr: /container \S+ is not running/i },
    await ctrd().ctr(['exec', 'done', 'true']),
  )
})

test('an exec dies with its container and does not come back', { skip }, async () => {
  await sleeper(ctrd(), 'ex')
  await ctrd().ok(['exec', '-d', 'ex', 'sleep', '77777'])
  await ctrd().ok(['restart', '-t', '0', 'ex'])
  assert.equal(await ctrd().ok(['exec', 'ex', 'sh', '-c', 'ps | grep -c 7777[7]; true']), '0')
  const { stdout } = await run(['pgrep', '-f', '^sleep 77777'])
  assert.equal(stdout, '')
})
test('-itd starts a shell with a terminal in the background', { skip }, async () => {
  await ctrd().ok(['run', '-itd', '--name', 'ii', 'busybox', 'sh'])
  assert.equal(await status(ctrd(), 'ii'), 'running 0')
})

test('a signal to an attached client reaches the program', { skip }, async () => {
  const script = 'trap "echo got; exit 4" TERM; echo ready; while :; do sleep 0.05; done'
  await using client = ctrd().session(['run', '--rm', 'busybox', 'sh', '-c', script])
  await client.waitFor('ready')
  client.kill('SIGTERM')
  assert.equal(await client.exited, 4)
  assert.match(client.output, /got/)
})

test('no descriptor but the standard ones is open', { skip }, async () => {
  const out = await inBusybox(ctrd(), 'ls /proc/self/fd | xargs')
  assert.equal(out, '0 1 2 3') // 3 is the directory that ls reads
})

test('signals are as at login: nothing blocked, nothing ignored', { skip }, async () => {
  const out = await ctrd().ok([
    'run',
    '--rm',
    'busybox',
    'grep',
    '-E',
    'SigBlk|SigIgn',
    '/proc/1/status',
  ])
  assert.match(out, /^SigBlk:\t0+\nSigIgn:\t0+$/)
})
test('--init reaps orphans and forwards signals', { skip }, async () => {
  const script =
    'trap "exit 6" TERM; (sleep 0.1 &) ; sleep 0.5; echo ready; while :; do sleep 0.05; done'
  await ctrd().ok(['run', '-d', '--init', '--name', 'in', 'busybox', 'sh', '-c', script])
  await waitFor('the script', async () => (await ctrd().ok(['logs', 'in'])) === 'ready')
  assert.notEqual(await ctrd().ok(['exec', 'in', 'cat', '/proc/1/comm']), 'sh')
  // The script's own children are zombies, too, for the moment until it waits for them.
  await waitFor('no zombie', async () => {
    const count = await ctrd().ok(['exec', 'in', 'sh', '-c', 'ps -o stat | grep -c Z; true'])
    return count === '0'
  })
  await ctrd().ok(['stop', 'in'])
  assert.equal(await status(ctrd(), 'in'), 'exited 6')
})
test('--entrypoint replaces the entry point and --env-file adds variables', { skip }, async () => {
  const out = await ctrd().ok([
    'run',
    '--rm',
    '--entrypoint',
    '/bin/echo',
    'busybox',
    'from',
    'entrypoint',
  ])
  assert.equal(out, 'from entrypoint')
  const file = `${ctrd().root}/variables`
  await run(['sh', '-c', 'printf "# comment\\nX=1\\n\\nY=a \\"b\\"\\nFROM_CLIENT\\n" > "$0"', file])
  const env = await ctrd().ctr(['run', '--rm', '--env-file', file, 'busybox', 'env'], {
    env: { FROM_CLIENT: 'c' },
  })
  for (const line of ['X=1', 'Y=a "b"', 'FROM_CLIENT=c'])
    assert.ok(env.stdout.split('\n').includes(line), env.stdout)
})
