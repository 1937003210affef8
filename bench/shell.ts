import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import type { Engine } from './engines.ts'

const run = promisify(execFile)

/** Runs a shell line and waits; its output is thrown away. */
export async function shell(line: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('sh', ['-c', line], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${line}: exit ${code}`)),
    )
  })
}

/** Runs a command, gives its standard output without the last line end. */
export async function command(argv: readonly string[]): Promise<string> {
  const { stdout } = await run(argv[0] ?? '', argv.slice(1))
  return stdout.trimEnd()
}

/** Milliseconds from the start of a command to its end, measured by launch.c. */
export async function timed(launcher: string, argv: readonly string[]): Promise<number> {
  return Number(await command([launcher, ...argv]))
}

/** A command of an engine's CLI as a shell line. */
export function line(engine: Engine, rest: string): string {
  const words = engine.cli.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`))
  return `${words.join(' ')} ${rest}`
}
