import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { findTestCriu, NO_CRIU, requires, startDaemon, waitFor } from '@ctr/testkit'
import { field } from './daemon-fixture.ts'

const criu = findTestCriu()
const skip = requires({ root: true }) || (criu === undefined ? NO_CRIU : false)

describe('a checkpoint', { skip, timeout: 300_000 }, () => {
  /** A criu that does `then` when it has dumped: the processes have ended, and nobody knows yet. */
  function criuAndThen(directory: string, then: string): string {
    const path = join(directory, 'criu')
    // What it restores is to be a child of its parent.
    const other = `case " $* " in *" --tree "*) ;; *) exec "${criu}" "$@";; esac`
    const script = `#!/bin/sh\n${other}\n"${criu}" "$@"; status=$?; ${then}; exit $status\n`
    writeFileSync(path, script)
    chmodSync(path, 0o755)
    return path
  }

  for (const [name, then] of [
    ['the daemon is killed', 'kill -9 $(cat "$(dirname "$0")/pid"); sleep 1'],
    ['criu fails', 'status=1'],
  ] as const) {
    test(`of processes that have ended with it is kept when ${name} then`, async () => {
      const directory = mkdtempSync('/tmp/ctr-checkpoint-')
      try {
        await using daemon = await startDaemon({
          bridge: false,
          args: ['--criu-path', criuAndThen(directory, then)],
        })
        writeFileSync(join(directory, 'pid'), String(daemon.pid))
        const script = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'
        await daemon.ok(['run', '-d', '--name', 'it', 'busybox', 'sh', '-c', script])
        await waitFor('numbers', async () => (await daemon.ok(['logs', 'it'])).length > 10)
        assert.notEqual((await daemon.ctr(['checkpoint', 'create', 'it', 'kept'])).code, 0)
        await daemon.restart()
        await waitFor('its end', async () => {
          return (await field(daemon, 'it', '{{.State.Status}}')) === 'exited'
        })
        const count = (await daemon.ok(['logs', 'it'])).split('\n').length
        await daemon.ok(['start', '--checkpoint', 'kept', 'it'])
        await waitFor('more numbers', async () => {
          return (await daemon.ok(['logs', 'it'])).split('\n').length > count + 3
        })
        const all = (await daemon.ok(['logs', 'it'])).split('\n').map(Number)
        assert.deepEqual(
          all,
          all.map((_, index) => index + 1),
        )
      } finally {
        rmSync(directory, { recursive: true })
      }
    })
  }
})
