import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Session } from '@ctr/testkit'
import { requires, startDaemon, waitFor } from '@ctr/testkit'
import {
  assertCheckpointed,
  countsOn,
  criu,
  daemon,
  directory,
  numbers,
  otherUser,
  skip,
  startCounter,
  useCriu,
} from './checkpoint-fixture.ts'
import { checkResult, field, removeContainers } from './daemon-fixture.ts'

describe('checkpoint', { skip }, () => {
  useCriu()

  test('ends the container, and a start from it goes on where it was', async () => {
    await startCounter('cc', '--restart', 'always')
    assert.equal(await daemon.ok(['checkpoint', 'create', 'cc', 'one']), 'one')
    assert.equal(await field(daemon, 'cc', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137')
    await assertCheckpointed('cc', true)
    const saved = await numbers('cc')
    await daemon.ok(['start', '--checkpoint', 'one', 'cc'])
    await countsOn('cc')
    await assertCheckpointed('cc', false)
    assert.equal((await numbers('cc'))[saved.length], saved.length + 1)
    // Again from the same one: criu's images are not used up.
    await daemon.ok(['stop', '-t', '0', 'cc'])
    await daemon.ok(['start', '--checkpoint', 'one', 'cc'])
    await waitFor('the number after the saved one, twice', async () => {
      const next = String(saved.length + 1)
      return (
        (await daemon.ok(['logs', 'cc'])).split('\n').filter((line) => line === next).length > 1
      )
    })
  })

  test('leaves it running, is listed and removed, in its own directory and in another', async () => {
    await startCounter('cc')
    const pid = await field(daemon, 'cc', '{{.State.Pid}}')
    await daemon.ok(['checkpoint', 'create', '--leave-running', 'cc', 'bb'])
    await daemon.ok(['checkpoint', 'create', '--leave-running', 'cc', 'aa'])
    await daemon.ok([
      'checkpoint',
      'create',
      '--leave-running',
      '--checkpoint-dir',
      directory,
      'cc',
      'dd',
    ])
    assert.equal(await field(daemon, 'cc', '{{.State.Pid}}'), pid)
    await countsOn('cc')
    assert.equal(await daemon.ok(['checkpoint', 'ls', 'cc']), 'CHECKPOINT NAME\naa\nbb')
    assert.match(
      await daemon.ok(['checkpoint', 'ls', '--checkpoint-dir', directory, 'cc']),
      /\ndd$/,
    )
    await daemon.ok(['checkpoint', 'rm', 'cc', 'aa'])
    assert.equal(await daemon.ok(['checkpoint', 'ls', 'cc']), 'CHECKPOINT NAME\nbb')
    await daemon.ok(['rm', '-f', 'cc'])
    await daemon.ok(['run', '-d', '--name', 'cc', 'busybox', 'true'])
    await daemon.ok(['wait', 'cc'])
    await daemon.ok(['checkpoint', 'rm', '--checkpoint-dir', directory, 'cc', 'dd'])
    assert.deepEqual(readdirSync(directory), [])
  })

  test('has limits, security and mounts as before', async () => {
    const look = `grep -E '^(Cap|Seccomp|NoNewPrivs|Uid|Groups)' /proc/1/status
      cut -d' ' -f5,6 /proc/1/mountinfo | sort; cat /proc/1/limits; hostname
      cat /proc/1/cgroup | sort; cat /run/x; ls -l /dev | wc -l; ip addr | grep 'inet '`
    await startCounter('cc', '-m', '64m', '--read-only', '--tmpfs', '/run', ...otherUser())
    await daemon.ok(['exec', '-u', '0', 'cc', 'sh', '-c', 'echo kept >/run/x'])
    const before = await daemon.ok(['exec', '-u', '0', 'cc', 'sh', '-c', look])
    await daemon.ok(['checkpoint', 'create', 'cc', 'xx'])
    await daemon.ok(['start', '--checkpoint', 'xx', 'cc'])
    assert.equal(await daemon.ok(['exec', '-u', '0', 'cc', 'sh', '-c', look]), before)
    const masked = await daemon.ok(['exec', '-u', '0', 'cc', 'sh', '-c', 'cat /proc/keys | wc -c'])
    assert.equal(masked, '0')
    assert.equal((await daemon.ctr(['exec', '-u', '0', 'cc', 'touch', '/x'])).code, 1)
  })

  test('keeps stdin and output for attach, with and without a terminal', async () => {
    // An interactive shell has its terminal itself open, too: /dev/tty.
    for (const flags of [['-i'], ['-i', '-t']]) {
      await daemon.ok(['run', '-d', '--name', 'cc', ...flags, 'busybox', 'sh'])
      const hasTerminal = flags.includes('-t')
      const attach = (): Session =>
        daemon.dockerSession(
          ['attach', 'cc'],
          hasTerminal ? { tty: { rows: 24, columns: 80 } } : {},
        )
      await using before = attach()
      before.write('word=kept; echo is $word\n')
      await before.waitFor(/is kept/)
      await daemon.ok(['checkpoint', 'create', 'cc', 'xx'])
      await daemon.ok(['start', '--checkpoint', 'xx', 'cc'])
      await using session = attach()
      session.write('echo still $word\n')
      await session.waitFor(/still kept/)
      if (hasTerminal) {
        await daemon.request('POST', '/containers/cc/resize?h=30&w=100')
        session.write('stty size\n')
        await session.waitFor(/30 100/)
      }
      const log = await daemon.ok(['logs', 'cc'])
      assert.match(log, /is kept[^]*still kept/)
      await daemon.ok(['rm', '-f', 'cc'])
    }
  })

  test('survives the death of the daemon on both sides', async () => {
    await startCounter('cc')
    await daemon.ok(['checkpoint', 'create', 'cc', 'xx'])
    await daemon.kill9()
    await daemon.restart()
    await assertCheckpointed('cc', true)
    await daemon.ok(['start', '--checkpoint', 'xx', 'cc'])
    await daemon.kill9()
    await daemon.restart()
    await countsOn('cc')
    await daemon.ok(['stop', '-t', '0', 'cc'])
    assert.equal(await field(daemon, 'cc', '{{.State.ExitCode}}'), '137')
  })

  test('a restored container is one like any other: exec, pause, signals, wait', async () => {
    const script = 'trap "echo bye; exit 7" TERM; while :; do echo tick; sleep 0.05; done'
    await daemon.ok(['run', '-d', '--name', 'cc', 'busybox', 'sh', '-c', script])
    await waitFor('the trap', async () => (await daemon.ok(['logs', 'cc'])).includes('tick'))
    await daemon.ok(['checkpoint', 'create', 'cc', 'xx'])
    await daemon.ok(['start', '--checkpoint', 'xx', 'cc'])
    assert.equal(await daemon.ok(['exec', 'cc', 'cat', '/proc/1/comm']), 'sh')
    await daemon.ok(['pause', 'cc'])
    assert.equal(await field(daemon, 'cc', '{{.State.Status}}'), 'paused')
    await daemon.ok(['unpause', 'cc'])
    const code = daemon.ok(['wait', 'cc'])
    await daemon.ok(['kill', '-s', 'TERM', 'cc'])
    assert.equal(await code, '7')
    assert.match(await daemon.ok(['logs', 'cc']), /bye$/)
    assert.equal(await field(daemon, 'cc', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 7')
    await assertCheckpointed('cc', false)
  })

  test('of a paused container: it stays paused, or ends', async () => {
    await startCounter('cc')
    await daemon.ok(['pause', 'cc'])
    await daemon.ok(['checkpoint', 'create', '--leave-running', 'cc', 'xx'])
    assert.equal(await field(daemon, 'cc', '{{.State.Status}}'), 'paused')
    await daemon.ok(['checkpoint', 'create', 'cc', 'yy'])
    assert.equal(await field(daemon, 'cc', '{{.State.Status}}'), 'exited')
    await daemon.ok(['start', '--checkpoint', 'yy', 'cc'])
    await countsOn('cc')
  })

  test('moves to another daemon in a file', async () => {
    await using other = await startDaemon({ args: ['--criu-path', criu ?? ''] })
    const file = join(directory, 'c.tar')
    await startCounter('cc', '-e', 'X=y', '-v', 'data:/data')
    const change = 'echo new >/root/new; rm /etc/group; echo volume >/data/x'
    await daemon.ok(['exec', 'cc', 'sh', '-c', change])
    assert.equal(await daemon.ok(['container', 'checkpoint', '--export', file, 'cc']), 'cc')
    const listing = async (): Promise<string> => await daemon.ok(['checkpoint', 'ls', 'cc'])
    await waitFor('no checkpoint', async () => (await listing()) === 'CHECKPOINT NAME')
    const last = (await numbers('cc')).length
    await other.ok(['container', 'restore', '--import', file])
    await countsOn('cc', other)
    assert.equal((await numbers('cc', other))[0], last + 1)
    const look = 'cat /root/new; ls /data; test -e /etc/group || echo gone; echo $X'
    assert.equal(await other.ok(['exec', 'cc', 'sh', '-c', look]), 'new\ngone\ny')
    assert.equal(await other.ok(['checkpoint', 'ls', 'cc']), 'CHECKPOINT NAME')
    const taken = await other.ctr(['container', 'restore', '-i', file])
    assert.match(taken.stderr, /The container name "\/cc" is already in use/)
    await other.ok(['container', 'restore', '-i', file, '-n', 'dd'])
    await countsOn('dd', other)
    writeFileSync(file, 'no tar')
    const broken = await other.ctr(['container', 'restore', '-i', file, '-n', 'ee'])
    assert.match(broken.stderr, /not an exported container of ctr/)
    assert.equal((await other.ok(['ps', '-aq'])).split('\n').length, 2)
    await removeContainers(other)
  })

  test('works with the docker CLI', async () => {
    await startCounter('cc')
    const docker = async (...args: string[]): Promise<string> => {
      const result = await daemon.docker(args)
      assert.equal(result.code, 0, result.stderr)
      return result.stdout
    }
    assert.equal(await docker('checkpoint', 'create', 'cc', 'xx'), 'xx\n')
    assert.equal(await docker('checkpoint', 'ls', 'cc'), 'CHECKPOINT NAME\nxx\n')
    await docker('start', '--checkpoint', 'xx', 'cc')
    await countsOn('cc')
    await docker('checkpoint', 'rm', 'cc', 'xx')
    assert.equal(await docker('checkpoint', 'ls', 'cc'), 'CHECKPOINT NAME\n')
  })

  test('says what is wrong, and nothing has happened', async () => {
    await startCounter('cc')
    await daemon.ok(['checkpoint', 'create', '--leave-running', 'cc', 'xx'])
    const failing: [string[], RegExp][] = [
      [
        ['checkpoint', 'create', 'cc', 'xx'],
        /cannot checkpoint container cc: checkpoint with name xx already exists for container cc/,
      ],
      [['checkpoint', 'create', 'cc', 'a/b'], /Invalid checkpoint ID \(a\/b\)/],
      [['checkpoint', 'create', 'cc', '..'], /Invalid checkpoint ID \(\.\.\)/],
      [['checkpoint', 'create', 'none', 'xx'], /No such container: none/],
      [['checkpoint', 'rm', 'cc', 'yy'], /checkpoint yy does not exist for container cc/],
      [['checkpoint', 'create', '--checkpoint-dir', 'relative', 'cc', 'zz'], /must be absolute/],
    ]
    for (const [args, stderr] of failing) {
      checkResult({ code: 1, stderr }, await daemon.ctr(args))
    }
    await countsOn('cc')
    await daemon.ok(['stop', '-t', '0', 'cc'])
    const stopped = await daemon.ctr(['checkpoint', 'create', 'cc', 'yy'])
    checkResult({ code: 1, stderr: /Container cc not running/ }, stopped)
    const unknown = await daemon.ctr(['start', '--checkpoint', 'yy', 'cc'])
    checkResult({ code: 1, stderr: /checkpoint yy does not exist for container \/cc/ }, unknown)
    const state = await field(daemon, 'cc', '{{.State.Status}} {{.State.ExitCode}}')
    assert.equal(state, 'exited 137')
    await daemon.ok(['run', '-d', '--rm', '--name', 'rr', 'busybox', 'sleep', '100'])
    const removed = await daemon.ctr(['checkpoint', 'create', 'rr', 'xx'])
    checkResult({ code: 1, stderr: /started with --rm/ }, removed)
    await daemon.ok(['rm', '-f', 'rr'])
  })

  test('a dump that fails leaves a running container and no checkpoint', async () => {
    const inside = 'mkdir /mnt; mount -t ramfs r /mnt; echo ready; exec sleep 100'
    await daemon.ok(['run', '-d', '--privileged', '--name', 'cc', 'busybox', 'sh', '-c', inside])
    await waitFor('the mount', async () => /ready/.test(await daemon.ok(['logs', 'cc'])))
    const result = await daemon.ctr(['checkpoint', 'create', 'cc', 'xx'])
    checkResult({ code: 1, stderr: /\/mnt was mounted inside the container/ }, result)
    assert.equal(await field(daemon, 'cc', '{{.State.Status}}'), 'running')
    assert.equal(await daemon.ok(['checkpoint', 'ls', 'cc']), 'CHECKPOINT NAME')
  })

  test('a restore that fails leaves nothing', async () => {
    await startCounter('cc')
    await daemon.ok(['checkpoint', 'create', '--checkpoint-dir', directory, 'cc', 'xx'])
    rmSync(join(directory, 'xx', 'pstree.img'))
    const result = await daemon.ctr([
      'start',
      '--checkpoint',
      'xx',
      '--checkpoint-dir',
      directory,
      'cc',
    ])
    checkResult({ code: 1, stderr: /criu failed: type RESTORE: .*No pstree\.img image/ }, result)
    assert.equal(await field(daemon, 'cc', '{{.State.Status}}'), 'exited')
    rmSync(join(directory, 'xx', 'inventory.img'))
    const torn = await daemon.ctr([
      'start',
      '--checkpoint',
      'xx',
      '--checkpoint-dir',
      directory,
      'cc',
    ])
    checkResult({ code: 1, stderr: /is not a complete checkpoint of ctr/ }, torn)
    await daemon.ok(['start', 'cc'])
    assert.equal(await field(daemon, 'cc', '{{.State.Status}}'), 'running')
    rmSync(join(directory, 'xx'), { recursive: true })
  })
})

describe('checkpoint without a usable criu', { skip: requires({ root: true }) }, () => {
  test('says what to do, and the container goes on', async () => {
    const place = mkdtempSync('/tmp/ctr-checkpoint-')
    const old = join(place, 'criu')
    writeFileSync(old, '#!/bin/sh\necho Version: 3.17.1\n')
    chmodSync(old, 0o755)
    try {
      for (const [path, text] of [
        [old, /criu 3\.17\.1, which is too old: .*criu 4\.0 or newer.*criu-path/],
        [join(place, 'none'), /cannot use .*ENOENT.*criu-path/],
        ['no-such-criu', /no-such-criu is not in PATH: .*criu 4\.0 or newer/],
      ] as const) {
        await using without = await startDaemon({ bridge: false, args: ['--criu-path', path] })
        await without.ok(['run', '-d', '--name', 'cc', 'busybox', 'sleep', '100'])
        const result = await without.ctr(['checkpoint', 'create', 'cc', 'xx'])
        checkResult({ code: 1, stderr: text }, result)
        assert.equal(await field(without, 'cc', '{{.State.Status}}'), 'running')
        assert.equal(await without.ok(['checkpoint', 'ls', 'cc']), 'CHECKPOINT NAME')
        await without.ok(['rm', '-f', 'cc'])
      }
    } finally {
      rmSync(place, { recursive: true })
    }
    assert.equal(existsSync(place), false)
  })
})
