import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command, Context } from './command.ts'
import { COMMANDS } from './commands/index.ts'
import { invalidArgument, prefixed } from './errors.ts'
import { type Parsed, parseFlags } from './flags.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { commandHelp, rootHelp } from './help.ts'
import { Log } from './log.ts'
import { print } from './output.ts'
import { versionText } from './version.ts'

const DEFAULT_ROOT = '/run/ctr-runtime'

/** Explicit: nothing that is still open may keep the command alive. */
process.exit(await main(process.argv.slice(2)))

async function main(argv: readonly string[]): Promise<number> {
  let log = Log.open({ path: undefined, isJson: false, isDebug: false })
  try {
    const globals = parseFlags(GLOBAL_FLAGS, argv, false)
    log = openLog(globals)
    return await dispatch(globals, log)
  } catch (error) {
    return report(log, error, 1)
  }
}

function openLog({ flags }: Parsed): Log {
  const format = flags.text('log-format') ?? 'text'
  if (format !== 'text' && format !== 'json') {
    throw invalidArgument(`invalid log-format: ${format}`)
  }
  return Log.open({
    path: flags.text('log'),
    isJson: format === 'json',
    isDebug: flags.bool('debug'),
  })
}

async function dispatch({ flags, args, wantsHelp }: Parsed, log: Log): Promise<number> {
  const [name, ...rest] = args
  if (flags.bool('version')) {
    print(versionText())
    return 0
  }
  if (name === undefined || name === 'help' || name === 'h' || wantsHelp) {
    print(await rootHelp())
    return 0
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load === undefined) {
    report(log, invalidArgument(`No help topic for '${name}'`), 1)
    return 3
  }
  const { command } = await load()
  const context: Context = {
    root: absoluteRoot(flags.text('root') ?? DEFAULT_ROOT),
    log,
    criu: flags.text('criu') ?? 'criu',
    hasSystemdCgroup: flags.bool('systemd-cgroup'),
  }
  return await runCommand(context, name, command, rest)
}

async function runCommand(
  context: Context,
  name: string,
  command: Command,
  argv: readonly string[],
): Promise<number> {
  let input: Parsed
  try {
    input = parseFlags(command.flags, argv, command.isInterspersed ?? true)
    if (input.wantsHelp) {
      print(commandHelp(name, command))
      return 0
    }
    checkCount(name, command, input.args.length)
  } catch (error) {
    process.stderr.write(`Incorrect Usage.\n\n${commandHelp(name, command)}`)
    return report(context.log, error, 1)
  }
  try {
    return (await command.run(context, input)) ?? 0
  } catch (error) {
    const shown = command.errorPrefix === undefined ? error : prefixed(command.errorPrefix, error)
    return report(context.log, shown, command.errorStatus ?? 1)
  }
}

function checkCount(name: string, { minArgs, maxArgs }: Command, count: number): void {
  if (count >= minArgs && count <= maxArgs) return
  const need =
    minArgs === maxArgs
      ? `exactly ${minArgs}`
      : count < minArgs
        ? `a minimum of ${minArgs}`
        : `a maximum of ${maxArgs}`
  throw invalidArgument(`runc: ${JSON.stringify(name)} requires ${need} argument(s)`)
}

function report(log: Log, error: unknown, status: number): number {
  const message = error instanceof Error ? error.message : String(error)
  log.write('error', message)
  if (!log.isStderr) process.stderr.write(`${message}\n`)
  if (error instanceof Error && error.stack !== undefined) log.write('debug', error.stack)
  return status
}

/** Links are resolved, so that all commands see the same directory whatever it is called. */
function absoluteRoot(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync(absolute)
  } catch {
    return absolute // not there yet
  }
}
