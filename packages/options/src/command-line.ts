import type { ExecConfig } from '@ctr/api'
import { canExecAtOnce, canRunAtOnce } from './at-once.ts'
import type { ClientMachine } from './client-machine.ts'
import { RUN_FLAGS } from './container-flags.ts'
import { type ContainerRequest, containerRequest } from './container-request.ts'
import { EXEC_FLAGS, EXEC_FORMS } from './exec-flags.ts'
import { execRequest } from './exec-request.ts'
import type { Flag } from './flag.ts'
import { type Parsed, parseFlags } from './parse.ts'
import { checkPlatform } from './platform.ts'
import { checkImage } from './reference.ts'

/** A command that can be done by who has only read it: nothing of it is the client's but its output and its end. */
export type CommandLine = RunCommand | ExecCommand

export interface RunCommand {
  readonly kind: 'run'
  /** As typed: `ctr container run`. */
  readonly path: string
  readonly isDetached: boolean
  /** Signals that the client gets are the container's. */
  readonly isProxied: boolean
  /** It is said at the end where the time went. */
  readonly isTimed: boolean
  readonly request: ContainerRequest
}

export interface ExecCommand {
  readonly kind: 'exec'
  readonly container: string
  /** It is hung up when its client goes. */
  readonly isHeld: boolean
  readonly config: ExecConfig
}

/**
 * Reads the words of `run` or `exec` as typed, from the command's name on. Undefined when the client is needed: for another
 * command, for what is on its machine, and to say what is wrong with the words.
 */
export function readCommandLine(words: readonly string[]): CommandLine | undefined {
  const [first, second] = words
  const isLong = first === 'container'
  const name = isLong ? second : first
  const rest = words.slice(isLong ? 2 : 1)
  const path = isLong ? `ctr container ${name}` : `ctr ${name}`
  try {
    if (name === 'run') return runCommand(rest, path)
    if (name === 'exec') return execCommand(rest)
  } catch {
    // Whatever it is, the client comes to it as well, and says it.
  }
  return undefined
}

function runCommand(words: readonly string[], path: string): RunCommand | undefined {
  const { flags, args } = parseOwn(RUN_FLAGS, words, 1)
  const pull = flags.string('pull')
  if (pull !== '' && pull !== 'missing' && pull !== 'never') return undefined
  const isDetached = flags.bool('detach')
  const isTimed = flags.bool('timing')
  if (isDetached && (isTimed || flags.isSet('attach'))) return undefined
  const input = { flags, args, isDetached, consoleSize: undefined, defaultPlatform: undefined }
  const request = containerRequest({ ...input, machine: ELSEWHERE })
  if (!flags.isSet('rootfs')) checkImage(args[0] ?? '')
  if (request.platform !== undefined) checkPlatform(request.platform)
  const { body } = request
  if (!isDetached && (body.AttachStdin === true || !canRunAtOnce(body, false))) return undefined
  const isProxied = flags.boolOr('sig-proxy', true)
  return { kind: 'run', path, isDetached, isProxied, isTimed, request }
}

function execCommand(words: readonly string[]): ExecCommand | undefined {
  if (EXEC_FORMS.some((form) => form === words[0])) return undefined
  const { flags, args } = parseOwn(EXEC_FLAGS, words, 2)
  const config = execRequest({ flags, args, machine: ELSEWHERE, consoleSize: undefined })
  const isHeld = !flags.bool('keep')
  if (!canExecAtOnce(config, isHeld)) return undefined
  return { kind: 'exec', container: args[0] ?? '', isHeld, config }
}

/** Throws for everything that the client must say or do. */
function parseOwn(table: readonly Flag[], words: readonly string[], least: number): Parsed {
  const parsed = parseFlags(table, words, { interspersed: false })
  const ofClient = table.some((flag) => flag.ofClient === true && parsed.flags.isSet(flag.name))
  if (parsed.wantsHelp || parsed.args.length < least || ofClient) throw NEEDS_CLIENT
  return parsed
}

/** The machine of a client that is not this process. */
const ELSEWHERE: ClientMachine = {
  variable() {
    throw NEEDS_CLIENT
  },
  readFile() {
    throw NEEDS_CLIENT
  },
  absolutePath(path) {
    if (!path.startsWith('/')) throw NEEDS_CLIENT
    return process.getBuiltinModule('node:path').resolve(path)
  },
}

/** Made once: it is no failure, and nobody looks where it was made. */
const NEEDS_CLIENT = new Error('only the client can do this')
