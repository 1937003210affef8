import { ConnectError, type Host, ResponseError } from '@ctr/client'
import { EngineError, messageOf } from '@ctr/errdefs'
import {
  daemonErrorText,
  EXIT_USAGE,
  FlagError,
  runErrorText,
  startErrorStatus,
} from '@ctr/options'
import { type Command, ExitError, UsageError } from './command.ts'
import { DEFAULT_HOST } from './config/daemon-host.ts'
import { usageLines } from './flags/help.ts'
import { nodeFs } from './node-modules.ts'
import { printError } from './output/write.ts'

const EXIT_CANCELLED = 130

/** Prints what went wrong as Docker's CLI does, and returns the exit status. */
export function reportError(
  error: unknown,
  command: Command | undefined,
  commandPath: string,
  isDebug: boolean,
): number {
  if (error instanceof FlagError) {
    const usage = usageLines(commandPath, command?.usage ?? '[OPTIONS] COMMAND [ARG...]')
    printError(`${error.message}\n\n${usage}\n\nRun '${commandPath} --help' for more information`)
    return EXIT_USAGE
  }
  if (error instanceof ExitError) {
    if (error.message !== '') printError(error.message)
    return error.status
  }
  if (error instanceof UsageError) return printRunError(error.message, commandPath, EXIT_USAGE)
  if (isDebug && error instanceof Error && error.stack !== undefined) printError(error.stack)
  const message = errorText(error)
  if (command?.isRun !== true) {
    printError(message)
    return error instanceof EngineError && error.code === 'CANCELLED' ? EXIT_CANCELLED : 1
  }
  const status = error instanceof ResponseError ? startErrorStatus(error.message) : EXIT_USAGE
  return printRunError(message, commandPath, status)
}

function printRunError(message: string, commandPath: string, status: number): number {
  printError(runErrorText(message, commandPath))
  return status
}

export function errorText(error: unknown): string {
  if (error instanceof ConnectError) return connectErrorText(error)
  if (error instanceof ResponseError) return daemonErrorText(error.message)
  return messageOf(error)
}

function connectErrorText({ host, systemCode }: ConnectError): string {
  if (systemCode === 'EACCES') {
    return `permission denied while trying to connect to the ctr daemon at ${host.address}. ${whoMay(host)}`
  }
  return `Cannot connect to the ctr daemon at ${host.address}. ${howToStart(host)}`
}

function howToStart(host: Host): string {
  if (host.kind !== 'unix') return 'Is ctrd running there, and does it listen on that address?'
  const address = host.address === DEFAULT_HOST ? '' : `-H ${host.address} `
  return `Is ctrd running? Start it with: ctrd ${address}&`
}

/** Whom a socket lets in: its owner and its group, see SocketGroup of the daemon. */
function whoMay(host: Host): string {
  const group = host.kind === 'unix' ? groupOf(host.path) : undefined
  return group === undefined
    ? 'Become root, or: sudo ctr …'
    : `Become root (sudo ctr …), or have root add you to the group ${group} and log in again: usermod -aG ${group} $USER`
}

/** By name; undefined where there is none but root's, or where its directory is closed to us, too. */
function groupOf(path: string): string | undefined {
  try {
    const { gid } = nodeFs().statSync(path)
    const lines = nodeFs().readFileSync('/etc/group', 'utf8').split('\n')
    const [name] = lines.find((line) => line.split(':')[2] === String(gid))?.split(':') ?? []
    return gid === 0 ? undefined : name
  } catch {
    return undefined
  }
}
