import type { Flag, Values } from './flags.ts'
import type { Log } from './log.ts'

/** What the global options say. */
export interface Context {
  readonly root: string
  readonly log: Log
  /** The lines that a container's or hook's failure adds to. */
  readonly criu: string
  readonly hasSystemdCgroup: boolean
}

export interface Input {
  readonly flags: Values
  readonly args: readonly string[]
}

/** One command. `run` answers the exit status; absent: 0. */
export interface Command {
  readonly summary: string
  /** `<container-id> [signal]`. */
  readonly usage: string
  readonly flags: readonly Flag[]
  readonly minArgs: number
  readonly maxArgs: number
  /** False where a command line of the container's follows. */
  readonly isInterspersed?: boolean
  /** Before every error: `runc create failed`. */
  readonly errorPrefix?: string
  /** Exit status of an error; absent: 1. */
  readonly errorStatus?: number
  readonly run: (context: Context, input: Input) => Promise<number | undefined> | number | undefined
}
