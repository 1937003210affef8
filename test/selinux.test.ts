// needs: root, SELinux with a policy for containers (/etc/selinux/*/contexts/lxc_contexts), busybox-static
import assert from 'node:assert/strict'
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'
import { checkResult, field, pidOf, useDaemon } from './daemon-fixture.ts'

const isEnabled =
  existsSync('/sys/fs/selinux/enforce') &&
  globSync('/etc/selinux/*/contexts/lxc_contexts').length > 0
const skip =
  requires({ root: true }) || (isEnabled ? false : 'no SELinux with a policy for containers')
const ctrd =
  skip === false
    ? useDaemon({ bridge: false, args: ['--selinux-enabled'] })
    : () => assert.fail('skipped')

const CURRENT = ['cat', '/proc/self/attr/current']

/** The kernel ends a label with a NUL. */
function clean(label: string): string {
  return label.replace(/[\0\n]*$/, '')
}

async function labelOf(path: string): Promise<string> {
  return (await run(['stat', '-c', '%C', path])).stdout.trim()
}

test('processes, mounts and volumes have the labels of their container', { skip }, async () => {
  assert.match(await ctrd().ok(['info', '--format', '{{.SecurityOptions}}']), /name=selinux/)
  const directory = mkdtempSync(join(tmpdir(), 'ctr-selinux-'))
  try {
    for (const name of ['own/sub', 'shared', 'kept']) {
      mkdirSync(join(directory, name), { recursive: true })
      writeFileSync(join(directory, name, 'file'), '')
    }
    const before = await labelOf(join(directory, 'kept/file'))
    const binds = ['own:/own:Z', 'shared:/shared:ro,z', 'kept:/kept'].flatMap((bind) => [
      '-v',
      `${directory}/${bind}`,
    ])
    await ctrd().ok(['run', '-d', '--name', 'one', ...binds, 'busybox', 'sleep', '300'])
    const process = await field(ctrd(), 'one', '{{.ProcessLabel}}')
    const mount = await field(ctrd(), 'one', '{{.MountLabel}}')
    assert.match(process, /^[^:]+:[^:]+:[^:]+/)
    const pid = await pidOf(ctrd(), 'one')
    const current = (of: number | string): string =>
      clean(readFileSync(`/proc/${of}/attr/current`, 'utf8'))
    assert.equal(current(pid), process)
    assert.equal(clean(await ctrd().ok(['exec', 'one', ...CURRENT])), process)
    const mounts = await ctrd().ok(['exec', 'one', 'cat', '/proc/mounts'])
    for (const path of ['/', '/dev', '/dev/shm']) {
      const line = mounts.split('\n').find((one) => one.split(' ')[1] === path) ?? ''
      assert.ok(line.includes(`context=${mount}`) || line.includes(`context="${mount}"`), line)
    }
    assert.equal(await labelOf(join(directory, 'own/sub')), mount)
    assert.equal(await labelOf(join(directory, 'own/sub/file')), mount)
    assert.notEqual(await labelOf(join(directory, 'shared/file')), before)
    assert.equal(await labelOf(join(directory, 'kept/file')), before)
    assert.equal(await labelOf(await field(ctrd(), 'one', '{{.HostsPath}}')), mount)
    await ctrd().ok(['rm', '-f', 'one'])

    const flags = ['--security-opt', 'label=disable']
    assert.equal(
      clean(await ctrd().ok(['run', '--rm', ...flags, 'busybox', ...CURRENT])),
      current('self'),
    )
    const bad = await ctrd().ctr(['run', '--rm', '--security-opt', 'label=odd', 'busybox', 'true'])
    checkResult({ code: 125, stderr: /bad label option "odd"/ }, bad)
    const host = await ctrd().ctr(['run', '--rm', '-v', '/etc:/x:Z', 'busybox', 'true'])
    checkResult({ code: 125, stderr: /SELinux relabeling of \/etc is not allowed/ }, host)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
