import assert from 'node:assert/strict'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })
const repository = join(import.meta.dirname, '..')

// /proc and /sys are the container's own. A tmpfs, as an overlay takes no overlay for its upper directory.
const SCRIPT = `
  "$0/bin/ctrd" --bridge none --data-root /var/ctr --exec-root /run/ctr -H unix:///run/ctr.sock >/run/log 2>&1 &
  export CTR_HOST=unix:///run/ctr.sock
  i=0; until "$0/bin/ctr" version >/dev/null 2>&1; do
    i=$((i+1)); [ $i -lt 600 ] || { cat /run/log >&2; exit 1; }; sleep 0.2
  done
  "$0/bin/ctr" run --rm --memory 64m --pids-limit 32 busybox sh -c 'echo ok; hostname; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true'
  echo "code $?"
  "$0/bin/ctr" run -d --name left busybox sleep 300 >/dev/null
  "$0/bin/ctr" ps --format '{{.Names}} {{.State}}'
`

test('an engine in a privileged container runs containers with limits', { skip }, async () => {
  const binds = [
    '/usr',
    '/lib',
    '/lib64',
    '/bin',
    '/sbin',
    '/etc',
    repository,
    dirname(realpathSync(process.execPath)),
  ]
  const { code, stdout, stderr } = await ctrd().ctr([
    'run',
    '--rm',
    '--privileged',
    ...binds.flatMap((path) => ['-v', `${realpathSync(path)}:${path}:ro`]),
    ...['/run', '/var', '/tmp'].flatMap((path) => ['--tmpfs', `${path}:exec`]),
    'busybox',
    '/usr/bin/sh',
    '-c',
    SCRIPT,
    repository,
  ])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^ok\n[0-9a-f]{12}\n67108864\ncode 0\nleft running\n$/, stderr)
})
