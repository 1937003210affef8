// needs root, pure cgroup v2, util-linux
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { killCgroup, prepareCgroupParent, readCgroupLayout, removeCgroup } from '@ctr/linux'

const isUnified = existsSync('/sys/fs/cgroup/cgroup.controllers')
const skip =
  process.getuid?.() !== 0 ? 'needs root' : isUnified ? false : 'the host is not pure cgroup v2'

// What an engine finds in a container of its own: its cgroup is the root that it sees, and full of processes.
const SCRIPT = `
  const { readFileSync } = require('node:fs')
  const { prepareCgroupParent, readCgroupLayout } = require('@ctr/linux')
  prepareCgroupParent(readCgroupLayout(), '/ctr')
  prepareCgroupParent(readCgroupLayout(), '/ctr')
  const read = (path) => readFileSync(path, 'utf8').trim()
  console.log(JSON.stringify({
    own: read('/proc/self/cgroup'),
    left: read('/sys/fs/cgroup/cgroup.procs'),
    enabled: read('/sys/fs/cgroup/ctr/cgroup.controllers'),
  }))
`

test('an engine in a container makes room for the controllers of its containers', {
  skip,
}, async () => {
  const layout = readCgroupLayout()
  const path = `/ctr-nested-${process.pid}`
  prepareCgroupParent(layout, '/')
  mkdirSync(`/sys/fs/cgroup${path}`)
  try {
    const enter = `echo $$ >/sys/fs/cgroup${path}/cgroup.procs; exec unshare --cgroup --mount "$@"`
    // `sleep` stands for the other processes of the container.
    const inside =
      'umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; sleep 60 >/dev/null 2>&1 & exec "$@"'
    const { stdout, stderr } = spawnSync(
      'sh',
      // biome-ignore format: one line per shell
      [
        '-c', enter, 'sh',
        'sh', '-c', inside, 'sh',
        process.execPath, '--input-type=commonjs', '-e', SCRIPT,
      ],
      { cwd: join(import.meta.dirname, '..'), encoding: 'utf8' },
    )
    assert.notEqual(stdout, '', stderr)
    const { own, left, enabled } = JSON.parse(stdout) as Record<string, string>
    assert.equal(own, '0::/init')
    assert.equal(left, '')
    assert.match(enabled ?? '', /\bmemory\b.*\bpids\b/)
  } finally {
    await killCgroup(layout, path)
    await removeCgroup(layout, path)
  }
})
