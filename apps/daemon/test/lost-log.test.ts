import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { apiRequest, requires, waitFor } from '@ctr/testkit'

// Where nobody takes the lines that the daemon writes when it starts, is ready and reads its configuration again.
const skip = requires({ root: true })
const main = join(import.meta.dirname, '../src/main.ts')

async function isThere(socket: string): Promise<boolean> {
  const answer = await apiRequest(socket, 'GET', '/_ping').catch(() => undefined)
  return answer?.status === 200
}

async function withDaemon(
  format: string,
  stderr: number | 'pipe',
  act: (child: ChildProcess, socket: string) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync('/tmp/ctr-lost-log-')
  const socket = join(directory, 's')
  const at = ['--data-root', `${directory}/data`, '--exec-root', `${directory}/run`]
  const how = ['--pidfile', `${directory}/pid`, '--bridge', 'none', '--log-format', format]
  const args = [main, '-H', `unix://${socket}`, ...at, ...how]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', stderr] })
  try {
    await waitFor('ctrd to answer', () => isThere(socket))
    await act(child, socket)
    assert.equal(await isThere(socket), true)
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(directory, { recursive: true })
  }
  assert.deepEqual([child.exitCode, child.signalCode], [0, null])
}

async function makeItSpeak(child: ChildProcess, socket: string): Promise<void> {
  for (let i = 0; i < 3; i++) {
    child.kill('SIGHUP')
    assert.equal(await isThere(socket), true)
  }
}

describe('ctrd goes on without its log', { skip }, () => {
  for (const format of ['json', 'text']) {
    it(`on a full disk: ${format}`, async () => {
      const full = openSync('/dev/full', 'w')
      await withDaemon(format, full, makeItSpeak)
      closeSync(full)
    })

    it(`when its reader has gone: ${format}`, async () => {
      await withDaemon(format, 'pipe', async (child, socket) => {
        child.stderr?.destroy()
        await makeItSpeak(child, socket)
      })
    })
  }
})
