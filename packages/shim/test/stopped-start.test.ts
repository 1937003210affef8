// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Bench, minimalProgram } from './minimal-program.ts'
import { until } from './until.ts'

test('a shim that was stopped before it said who it is is ended, and another takes its program', async () => {
  await using bench = await Bench.make()
  const { shim, started } = await stopAtPidFile(bench)
  const beganAtMs = performance.now()
  assert.equal((await (await started).exited).exitCode, 3)
  // START_TIMEOUT_MS is 120 s, and a start may not be repeated after it.
  assert.ok(performance.now() - beganAtMs < 60_000)
  await until(() => !existsSync(`/proc/${shim}`))
})

test('one that was stopped just after it is no spare shim any more: the start fails and says why', async () => {
  await using bench = await Bench.make()
  const { shim, started, pidFile } = await stopAtPidFile(bench)
  writeFileSync(pidFile, String(shim))
  await assert.rejects(started, {
    code: 'ETIMEDOUT',
    message: /^the shim in run-\d+ \(process \d+, stopped\) has not answered for 5 s$/,
  })
  await until(() => !existsSync(`/proc/${shim}`))
})

/** A start whose shim is stopped where it writes its pid file, which is not there. */
async function stopAtPidFile(
  bench: Bench,
): Promise<{ shim: number; started: ReturnType<Bench['spawner']['run']>; pidFile: string }> {
  const runtimeDir = await bench.runtimeDir()
  const pidFile = join(runtimeDir, 'shim.pid')
  // Nobody reads it: there the shim waits.
  execFileSync('mkfifo', [pidFile])
  const program = minimalProgram(bench, { runtimeDir, args: ['sh', '-c', 'exit 3'] })
  const started = bench.spawner.run(program)
  let shim = 0
  await until(() => (shim = workingIn(runtimeDir)) !== 0)
  process.kill(shim, 'SIGSTOP')
  rmSync(pidFile)
  return { shim, started, pidFile }
}

/** 0: nobody. */
function workingIn(directory: string): number {
  const isThere = (name: string): boolean => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === directory
    } catch {
      return false // it has ended
    }
  }
  return Number(readdirSync('/proc').find(isThere) ?? 0)
}
