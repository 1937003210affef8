// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Bench, minimalProgram } from './minimal-program.ts'
import { until } from './until.ts'

test('a shim that was stopped before it said who it is is ended, and another takes its program', async () => {
  await using bench = await Bench.make()
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
  const beganAtMs = performance.now()
  assert.equal((await (await started).exited).exitCode, 3)
  // START_TIMEOUT_MS is 120 s, and a start may not be repeated after it.
  assert.ok(performance.now() - beganAtMs < 60_000)
  await until(() => !existsSync(`/proc/${shim}`))
})

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
