import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type ApiResponse, requires, waitFor } from '@ctr/testkit'
import { field, useDaemon } from './daemon-fixture.ts'

// What happens to starts when the processes that carry them out are killed or stopped.
const skip = requires({ root: true })

describe('starts', { skip, timeout: 300_000 }, () => {
  const daemon = useDaemon({ bridge: false })

  async function create(name: string, flags: readonly string[] = []): Promise<string> {
    return await daemon().ok(['create', '--name', name, ...flags, 'busybox', 'sleep', '300'])
  }

  /** Of the daemon, as soon as there is one. */
  async function spawner(): Promise<number> {
    const socket = join(daemon().execRoot, 'spawner.sock')
    return await waitFor('a spawner', () =>
      readdirSync('/proc')
        .map(Number)
        // A shim that it has just forked bears its name, too, but is no child of the daemon.
        .find((pid) => parentOf(pid) === daemon().pid && readCommand(pid).includes(socket)),
    )
  }

  /** A container that runs although its shim is stopped. */
  async function endStopped(name: string, shim: number): Promise<void> {
    process.kill(shim, 'SIGCONT')
    await daemon().ok(['stop', '-t', '0', name])
  }

  test('all succeed while the spawner is killed again and again', async () => {
    const names = Array.from({ length: 16 }, (_, index) => `c${index}`)
    await Promise.all(names.map((name) => create(name)))
    const begun = names.map((name) => daemon().request('POST', `/containers/${name}/start`))
    for (let round = 0; round < 5; round++) {
      process.kill(await spawner(), 'SIGKILL')
      await delay(10 * round)
    }
    const answers = await Promise.all(begun)
    assert.deepEqual(
      answers.map(({ status, text }) => `${status} ${text}`),
      names.map(() => '204 '),
    )
    const running = await daemon().ok(['ps', '-q', '--filter', 'status=running'])
    assert.equal(running.split('\n').length, 16)
  })

  test('wait for a stopped spawner only until it is replaced', async () => {
    await create('it')
    process.kill(await spawner(), 'SIGSTOP')
    await daemon().ok(['start', 'it'])
    assert.equal(await daemon().ok(['exec', 'it', 'echo', 'runs']), 'runs')
  })

  test('fail when their shim is stopped midway, and leave no ghost', async () => {
    // So that it takes some time.
    const tmpfs = Array.from({ length: 400 }, (_, index) => `--tmpfs=/tmp/t/${index}`)
    const id = await create('it', tmpfs)
    const start = (): Promise<ApiResponse> => daemon().request('POST', '/containers/it/start')
    let shim = 0
    let answer: ApiResponse
    do {
      const stopped = stopShimOf(join(daemon().execRoot, 'c'), id)
      answer = await start()
      shim = await stopped
      // On a busy machine it may be through with its work before it is stopped.
      if (answer.status === 204) await endStopped('it', shim)
    } while (answer.status === 204)
    const { status, text } = answer
    assert.equal(status, 500)
    assert.match(text, new RegExp(`process ${shim}, stopped\\) has not answered`))
    await waitFor('the end of the shim', () => !existsSync(`/proc/${shim}`))
    assert.equal(await field(daemon(), 'it', '{{.State.Status}} {{.State.Pid}}'), 'created 0')
    assert.deepEqual(readdirSync(join(daemon().execRoot, 'c')), [])
    await daemon().ok(['start', 'it'])
    assert.equal(await daemon().ok(['exec', 'it', 'echo', 'runs']), 'runs')
  })
})

function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1])
}

function readCommand(pid: number): string {
  return read(`/proc/${pid}/cmdline`)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** As soon as it has said who it is. Resolves to its pid. */
function stopShimOf(runtimeDirs: string, id: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const path = join(runtimeDirs, id.slice(0, 24), 'shim.pid')
  const watcher = watch(runtimeDirs, () => {
    for (const deadline = performance.now() + 120_000; performance.now() < deadline; ) {
      const pid = Number(read(path))
      if (pid === 0) continue
      process.kill(pid, 'SIGSTOP')
      resolve(pid)
      break
    }
    watcher.close()
  })
  return promise
}
