import { Client } from '@ctr/client'
import { type FlagValues, type Parsed, parseFlags } from '@ctr/options'
import { type Command, type Context, ExitError } from './command.ts'
import type { Group } from './commands/index.ts'
import { quickCommand } from './commands/quick.ts'
import { type ConfigFile, configDirectory, readConfigFile } from './config/config-file.ts'
import { daemonHost } from './config/daemon-host.ts'
import { currentContext } from './context/current.ts'
import { GLOBAL_FLAGS, LOG_LEVELS } from './global-flags.ts'
import { isTerminal } from './node-modules.ts'
import { printError, printLine, writeOut } from './output/write.ts'
import { rawArguments } from './raw-process.ts'
import { reportError } from './report-error.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Explicit: nothing that is still open may keep the command alive. */
process.exit(
  await main(rawArguments(process.argv.slice(2)), process.env).catch((error: unknown) =>
    reportError(error, undefined, 'ctr', false),
  ),
)

async function main(argv: readonly string[], environment: Environment): Promise<number> {
  let globals: Parsed
  try {
    globals = parseFlags(GLOBAL_FLAGS, argv, { interspersed: false })
  } catch (error) {
    return reportError(error, undefined, 'ctr', false)
  }
  const { flags, args } = globals
  if (flags.bool('version')) {
    const { versionLine } = await import('./version-line.ts')
    printLine(versionLine())
    return 0
  }
  const level = flags.string('log-level')
  if (level !== '' && !LOG_LEVELS.test(level)) {
    printError(`Unable to parse logging level: ${level}`)
    return 1
  }
  if (args.length === 0 || globals.wantsHelp) return printRootHelp()
  if (args[0] === 'help') return help(args.slice(1))
  return dispatch(flags, args, environment)
}

async function dispatch(
  globals: FlagValues,
  args: readonly string[],
  environment: Environment,
): Promise<number> {
  const [name = ''] = args
  const quick = quickCommand(name)
  if (quick !== undefined) {
    const { command } = await quick()
    return runCommand(command, `ctr ${name}`, args.slice(1), globals, environment)
  }
  const { resolveCommand } = await import('./commands/resolve.ts')
  const { entry, path, rest } = resolveCommand(args)
  if (entry === undefined || entry.kind === 'group') return badCommand(entry, path, rest)
  const { command } = await entry.load()
  return runCommand(command, path, rest, globals, environment)
}

async function runCommand(
  command: Command,
  path: string,
  rest: readonly string[],
  globals: FlagValues,
  environment: Environment,
): Promise<number> {
  try {
    const [word = ''] = rest
    const form = Object.hasOwn(command.forms ?? {}, word) ? command.forms?.[word] : undefined
    if (form !== undefined && (await form.isMeant(makeContext(globals, path, environment), rest))) {
      const { command: chosen } = await form.load()
      return await runCommand(chosen, `${path} ${word}`, rest.slice(1), globals, environment)
    }
    const input = parseFlags(command.flags, rest, { interspersed: command.interspersed ?? true })
    if (input.wantsHelp) return printCommandHelp(path, command)
    checkArgumentCount(command, path, input.args.length)
    return (await command.run(makeContext(globals, path, environment), input)) ?? 0
  } catch (error) {
    const status = reportError(error, command, path, globals.bool('debug'))
    if (error instanceof Error && isTerminal(2)) {
      const { suggestName } = await import('./suggest-name.ts')
      const told = error.cause instanceof Error ? error.cause.message : ''
      const { client } = makeContext(globals, path, environment)
      const hint = await suggestName(client, `${told}\n${error.message}`)
      if (hint !== undefined) printError(hint)
    }
    return status
  }
}

async function badCommand(
  group: Group | undefined,
  path: string,
  rest: readonly string[],
): Promise<number> {
  const [name] = rest
  if (group !== undefined && (name === undefined || name.startsWith('-'))) {
    const { groupHelp } = await import('./root-help.ts')
    if (name === '--help' || name === '-h') writeOut(groupHelp(path, group))
    else printError(groupHelp(path, group).trimEnd())
    return 0
  }
  const { suggestCommand } = await import('./suggest-command.ts')
  const usage = group === undefined ? '' : `Usage:  ${path} COMMAND\n\n`
  printError(
    `ctr: unknown command: ${path} ${name}\n\n${suggestCommand(group, path, name ?? '')}${usage}Run '${path} --help' for more information`,
  )
  return 1
}

async function help(args: readonly string[]): Promise<number> {
  if (args.length === 0) return printRootHelp()
  const { resolveCommand } = await import('./commands/resolve.ts')
  const { entry, path, rest } = resolveCommand(args)
  if (entry === undefined || rest.length > 0) {
    printError(`unknown help topic: ${rest.join(' ')}`)
    return 1
  }
  if (entry.kind === 'command') return printCommandHelp(path, (await entry.load()).command)
  const { groupHelp } = await import('./root-help.ts')
  writeOut(groupHelp(path, entry))
  return 0
}

async function printRootHelp(): Promise<number> {
  const { rootHelp } = await import('./root-help.ts')
  writeOut(rootHelp())
  return 0
}

async function printCommandHelp(path: string, command: Command): Promise<number> {
  const { commandHelp } = await import('./flags/help.ts')
  const { terminalSize } = await import('./terminal/size.ts')
  writeOut(commandHelp(path, command, terminalSize()?.columns ?? 80))
  return 0
}

function checkArgumentCount(command: Command, path: string, count: number): void {
  const { min, max } = command.args
  if (count >= min && (max === undefined || count <= max)) return
  const usage = command.usage.split('\n').map((form) => `${path} ${form}`.trimEnd())
  const hint = max === undefined ? 'See' : 'Run'
  throw new ExitError(
    1,
    `ctr: '${path}' ${argumentRule(min, max)}\n\nUsage:  ${usage.join('\n\t')}\n\n${hint} '${path} --help' for more information`,
  )
}

function argumentRule(min: number, max: number | undefined): string {
  const plural = (count: number): string => `${count} argument${count === 1 ? '' : 's'}`
  if (max === 0) return 'accepts no arguments'
  if (max === min) return `requires ${plural(min)}`
  if (max === undefined) return `requires at least ${plural(min)}`
  return min === 0
    ? `requires at most ${plural(max)}`
    : `requires at least ${min} and at most ${plural(max)}`
}

function makeContext(globals: FlagValues, commandPath: string, environment: Environment): Context {
  const directory = configDirectory(environment, globals.optional('config'))
  const contextName = currentContext(globals, environment, directory)
  let client: Client | undefined
  let config: ConfigFile | undefined
  return {
    commandPath,
    globals,
    contextName,
    configDirectory: directory,
    environment,
    get client() {
      client ??= new Client({
        host: daemonHost(globals, environment, directory, contextName),
        apiVersion: environment['DOCKER_API_VERSION'] || undefined,
        isStarting: async (error) => {
          const { daemonIsStarting } = await import('./starting-daemon.ts')
          return daemonIsStarting(error)
        },
      })
      return client
    },
    get config() {
      config ??= readConfigFile(directory)
      return config
    },
  }
}
