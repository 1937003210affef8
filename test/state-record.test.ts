import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { requires, waitFor } from '@ctr/testkit'
import { cgroupDirectories } from './cgroup-files.ts'
import { useDaemon } from './daemon-fixture.ts'

// What inspect tells of a container's process beyond Docker: libcontainer's state.json.
const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

interface State {
  readonly Pid: number
  readonly StartTicks?: number
  readonly NamespacePaths?: Readonly<Record<string, string>>
  readonly CgroupPaths?: Readonly<Record<string, string>>
}

async function stateOf(name: string): Promise<State> {
  const { State } = JSON.parse(await ctrd().ok(['inspect', '--format', '{{json .}}', name])) as {
    State: State
  }
  return State
}

/** Field 22 of /proc/PID/stat; the command's name, with anything in it, is in brackets. proc_pid_stat(5) */
function startTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19])
}

test('inspect names the namespaces, the cgroups and the start of the process', {
  skip,
}, async () => {
  const id = await ctrd().ok(['run', '-d', '--name', 'cc', 'busybox', 'sleep', '300'])
  const state = await stateOf('cc')
  assert.equal(state.StartTicks, startTicks(state.Pid))

  const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts']
  assert.deepEqual(Object.keys(state.NamespacePaths ?? {}).toSorted(), names)
  for (const [name, path] of Object.entries(state.NamespacePaths ?? {})) {
    const seenInside = await ctrd().ok(['exec', 'cc', 'readlink', `/proc/self/ns/${name}`])
    assert.equal(readlinkSync(path), seenInside)
  }

  const directories = Object.values(state.CgroupPaths ?? {})
  assert.deepEqual([...new Set(directories)].toSorted(), cgroupDirectories(state.Pid).toSorted())
  for (const directory of directories) assert.ok(directory.endsWith(`/${id}`), directory)

  await ctrd().restart()
  assert.deepEqual(await stateOf('cc'), state)
})

test('of a container that does not run there are none', { skip }, async () => {
  await ctrd().ok(['create', '--name', 'cc', 'busybox', 'true'])
  const { StartTicks, NamespacePaths, CgroupPaths } = await stateOf('cc')
  assert.deepEqual([StartTicks, NamespacePaths, CgroupPaths], [undefined, undefined, undefined])
})

test('another program can read the database while the engine runs', { skip }, async () => {
  const id = await ctrd().ok(['create', '--name', 'seen', 'busybox'])
  const database = new DatabaseSync(join(ctrd().dataRoot, 'ctr.db'), { readOnly: true })
  const row = database.prepare('SELECT id FROM containers WHERE id = ?').get(id)
  database.close()
  assert.equal(row?.['id'], id)
  await ctrd().ok(['rm', 'seen'])
})

test('a pid that has passed to another process is not taken for the container', {
  skip,
}, async () => {
  const id = await ctrd().ok(['run', '-d', '--name', 'cc', 'busybox', 'sleep', '300'])
  const { Pid } = await stateOf('cc')
  await ctrd().kill9()
  await killShimOf(Pid)
  const other = spawn('sleep', ['300'])
  try {
    const database = new DatabaseSync(join(ctrd().dataRoot, 'ctr.db'))
    database.prepare('UPDATE containers SET pid = ? WHERE id = ?').run(other.pid ?? 0, id)
    database.close()
    await ctrd().restart()
    const state = await ctrd().ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'cc'])
    assert.equal(state, 'exited 137')
    await ctrd().ok(['rm', '-f', 'cc'])
    assert.equal(other.exitCode ?? other.signalCode, null)
  } finally {
    other.kill('SIGKILL')
  }
})

/** With it goes its container. */
async function killShimOf(pid: number): Promise<void> {
  const parent = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  process.kill(parent, 'SIGKILL')
  await waitFor('the end of the container', () => !existsSync(`/proc/${pid}`))
}
