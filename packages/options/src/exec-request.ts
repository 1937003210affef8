import type { ExecConfig } from '@ctr/api'
import type { ClientMachine } from './client-machine.ts'
import { readEnvironment } from './environment.ts'
import type { FlagValues } from './flag.ts'

export interface ExecInput {
  readonly flags: FlagValues
  /** Container, command, arguments. */
  readonly args: readonly string[]
  readonly machine: ClientMachine
  /** `[rows, columns]` of the client's terminal. */
  readonly consoleSize: readonly [number, number] | undefined
}

/** Options of `exec` to its request (docker/cli container/exec.go, parseExec). Throws an Error with Docker's text. */
export function execRequest({ flags, args, machine, consoleSize }: ExecInput): ExecConfig {
  const isDetached = flags.bool('detach')
  return {
    User: flags.string('user'),
    Privileged: flags.bool('privileged'),
    Tty: flags.bool('tty'),
    AttachStdin: flags.bool('interactive') && !isDetached,
    AttachStdout: !isDetached,
    AttachStderr: !isDetached,
    Detach: isDetached,
    Env: readEnvironment(flags.list('env-file'), flags.list('env'), machine),
    WorkingDir: flags.string('workdir'),
    Cmd: args.slice(1),
    ...(consoleSize === undefined ? {} : { ConsoleSize: [...consoleSize] }),
  }
}
