import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RUNTIME, type TestBundle, until } from './bundle.ts'

/** The runtime with pipes as stdio, like containerd and conmon; all output goes to `log`. Answers the exit status. */
export async function runPiped(
  bundle: TestBundle,
  criu: string,
  log: string,
  ...args: string[]
): Promise<number> {
  const status = join(bundle.dir, `status-${++statuses}`)
  const script =
    '{ "$@" </dev/null 2>&1; echo $? >"$STATUS.tmp"; mv "$STATUS.tmp" "$STATUS"; } | cat >>"$LOG"'
  const command = [RUNTIME, '--root', bundle.root, '--criu', criu, ...args]
  spawn('sh', ['-c', script, 'sh', ...command], {
    cwd: bundle.dir,
    stdio: 'ignore',
    env: { ...process.env, STATUS: status, LOG: log },
  }).unref()
  await until(() => existsSync(status), `the end of ${args.join(' ')}`)
  return Number(readFileSync(status, 'utf8'))
}

let statuses = 0

/** The lines of a log of numbers. */
export function numbers(log: string): number[] {
  const text = existsSync(log) ? readFileSync(log, 'utf8').trim() : ''
  return text === '' ? [] : text.split('\n').map(Number)
}

export function counts(log: string): Promise<boolean> {
  const before = numbers(log).length
  return until(() => numbers(log).length > before + 5, `more numbers in ${log}`)
}
