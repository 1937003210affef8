import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { requires, waitFor } from '@ctr/testkit'
import { field, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true, commands: ['prlimit'] })

describe('a daemon that may open few files', { skip, timeout: 300_000 }, () => {
  const daemon = useDaemon({ bridge: false })

  const openFiles = (): number => readdirSync(`/proc/${daemon().pid}/fd`).length

  /** So many more than it has open now. */
  function allow(more: number): void {
    const limit = String(openFiles() + more)
    execFileSync('prlimit', ['--pid', String(daemon().pid), `--nofile=${limit}:`])
  }

  function flood(count: number): Disposable {
    const sockets = Array.from({ length: count }, (): Socket => {
      const socket = connect(daemon().socketPath)
      socket.on('error', () => undefined)
      return socket
    })
    return { [Symbol.dispose]: () => sockets.forEach((socket) => socket.destroy()) }
  }

  test('survives more clients than it can serve', async () => {
    await daemon().ok(['run', '-d', '--name', 'it', 'busybox', 'sleep', '300'])
    allow(20)
    {
      using _clients = flood(200)
      await waitFor('no room', async () => {
        const answer = await daemon()
          .request('GET', '/_ping')
          .catch(() => undefined)
        return answer === undefined
      })
    }
    await waitFor('room', async () => {
      const answer = await daemon()
        .request('GET', '/_ping')
        .catch(() => undefined)
      return answer?.status === 200
    })
    assert.equal(await daemon().ok(['exec', 'it', 'echo', 'goes on']), 'goes on')
    assert.doesNotMatch(daemon().log, /uncaught/)
  })

  test('says what it lacks, with 503, and serves all when there is enough again', async () => {
    await daemon().ok(['run', '-d', '--name', 'few', 'busybox', 'sleep', '300'])
    const copied = { Image: 'busybox', Cmd: ['true'], Volumes: { '/bin': {} } }
    const calls: readonly (readonly [method: string, path: string, body?: unknown])[] = [
      ['POST', '/containers/create', copied],
      ['GET', '/containers/few/json?size=1'],
      ['GET', '/containers/few/top'],
      ['GET', '/containers/few/stats?stream=0&one-shot=1'],
      ['GET', '/containers/few/archive?path=/bin/busybox'],
      ['GET', '/containers/few/changes'],
      ['POST', '/commit?container=few'],
      ['GET', '/system/df'],
    ]
    const lacking = new Set<string>()
    for (const [method, path, body] of calls) {
      for (let more = 0; more < 6; more++) {
        allow(more)
        const { status, text } = await daemon().request(method, path, body)
        allow(100)
        if (status < 300) continue
        lacking.add(path)
        assert.equal(status, 503, text)
        assert.match(text, /the limit of open files is reached/)
      }
      const { status, text } = await daemon().request(method, path, body)
      assert.ok(status < 300, text)
    }
    assert.ok(lacking.size > 3, [...lacking].join())
  })

  test('fails requests that need more, and nothing is left of them', async () => {
    const ids: string[] = []
    for (let more = 1; more < 16; more++) {
      const id = await daemon().ok(['create', '--name', `c${more}`, 'busybox', 'sleep', '300'])
      ids.push(id)
      allow(more)
      await daemon()
        .request('POST', `/containers/${id}/start`)
        .catch(() => undefined)
      allow(100)
    }
    for (const id of ids) {
      const status = await field(daemon(), id, '{{.State.Status}}')
      const hasDirectory = readdirSync(join(daemon().execRoot, 'c')).includes(id.slice(0, 24))
      assert.equal(hasDirectory, status === 'running', `${id} is ${status}`)
      if (status !== 'running') await daemon().ok(['start', id])
    }
    assert.equal((await daemon().ok(['ps', '-q'])).split('\n').length, ids.length)
    assert.doesNotMatch(daemon().log, /uncaught/)
  })
})
