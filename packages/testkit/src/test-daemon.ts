import type { ApiRequestOptions, ApiResponse } from './api.ts'
import type { RunOptions, RunResult } from './run.ts'
import type { Session, SessionOptions } from './session.ts'

export interface DaemonOptions {
  /** A real dockerd to compare with, and Docker's CLI. Default: ctrd. */
  readonly engine?: 'ctrd' | 'dockerd'
  /** Run in a network namespace of its own: addresses, ports and firewall of the host do not matter. */
  readonly isIsolated?: boolean
  /** Further arguments of ctrd. */
  readonly args?: readonly string[]
  /** Further environment of ctrd. */
  readonly env?: Readonly<Record<string, string>>
  /** `false`: `--bridge none`, so that containers have loopback only and nothing is done to the host's network. */
  readonly bridge?: boolean
  /** umask(2) under which ctrd starts. */
  readonly umask?: string
}

export interface TestDaemon extends AsyncDisposable {
  readonly socketPath: string
  readonly root: string
  readonly dataRoot: string
  readonly execRoot: string
  readonly bridge: string
  /** First three bytes of the bridge's /24, e.g. `10.201.7`. */
  readonly subnetPrefix: string
  readonly cgroup: string
  /** Pid of ctrd. Changes with a restart. */
  readonly pid: number
  readonly isRunning: boolean
  /** Run the CLI to its end. */
  ctr(args: readonly string[], options?: RunOptions): Promise<RunResult>
  /** As `ctr`; throws unless it exits with 0; returns stdout without the final newline. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>
  /** Run Docker's own CLI against this daemon. */
  docker(args: readonly string[], options?: RunOptions): Promise<RunResult>
  /** The CLI as a conversation, with a terminal if asked for. */
  session(args: readonly string[], options?: SessionOptions): Session
  dockerSession(args: readonly string[], options?: SessionOptions): Session
  request(
    method: string,
    path: string,
    body?: unknown,
    options?: ApiRequestOptions,
  ): Promise<ApiResponse>
  /** The command that `ctr` and `session` run. */
  readonly cli: readonly string[]
  /** Environment that points both clients at this daemon. */
  readonly clientEnvironment: Readonly<Record<string, string>>
  /** SIGKILL, and wait until it is gone. */
  kill9(): Promise<void>
  /** SIGTERM, and wait. Resolves to the exit code. */
  stop(): Promise<number>
  /** Start it again on the same directories, stopping it first if it runs. */
  restart(): Promise<void>
  readonly log: string
  /** What a dispose would complain about, containers and all. */
  leaks(): Promise<string[]>
}
