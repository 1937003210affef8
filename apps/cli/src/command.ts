import type { Client } from '@ctr/client'
import type { Flag, FlagValues, Parsed } from '@ctr/options'
import type { ConfigFile } from './config/config-file.ts'

/** One command of `ctr`: options, one or a few client calls, print. Its file is loaded only when it runs. */
export interface Command {
  /** What follows the command's name, e.g. `[OPTIONS] IMAGE [COMMAND] [ARG...]`. Several lines: several forms. */
  readonly usage: string
  readonly summary: string
  readonly aliases?: readonly string[]
  readonly flags: readonly Flag[]
  /** Counted without options. Absent `max`: any number. */
  readonly args: { readonly min: number; readonly max?: number }
  /** Default true. False: options stop at the first argument. */
  readonly interspersed?: boolean
  readonly examples?: readonly Example[]
  /** `run` style: errors carry the program's name, a hint, and exit status 125. */
  readonly isRun?: boolean
  /** Words that may follow the command's name in place of its own arguments, each a command by itself. */
  readonly forms?: Readonly<Record<string, Form>>
  /** Returns the exit status; nothing means 0. */
  run(context: Context, input: Parsed): Promise<number | void>
}

interface Form {
  readonly load: () => Promise<{ readonly command: Command }>
  /** False: `args`, which begin with the word, are the command's own after all. */
  isMeant(context: Context, args: readonly string[]): Promise<boolean>
}

interface Example {
  readonly text: string
  readonly command: string
}

export interface Context {
  /** Connects when first used. */
  readonly client: Client
  /** `~/.docker/config.json`, read when first used. */
  readonly config: ConfigFile
  /** As typed: `ctr container run`. */
  readonly commandPath: string
  /** Options before the command. */
  readonly globals: FlagValues
  /** Name of the context that counts. */
  readonly contextName: string
  /** `~/.docker` */
  readonly configDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Options that do not fit together or cannot be read: printed with the command's name and a hint, status 125. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Ends the command with this status; `message` is printed as it is, unless empty. `cause` has been told already. */
export class ExitError extends Error {
  override readonly name = 'ExitError'
  readonly status: number

  constructor(status: number, message = '', cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}
