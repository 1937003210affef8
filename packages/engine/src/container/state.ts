import { EngineError } from '@ctr/errdefs'

/** Docker's statuses. One value, never overlapping flags. */
export type ContainerStatus = ContainerState['status']

/** What is known of the last run, whatever the status. Times in ns since 1970, 0n: never. */
export interface LastRun {
  readonly startedAtNs: bigint
  readonly finishedAtNs: bigint
  /** 0–255; 128+n after signal n. */
  readonly exitCode: number
  readonly isOomKilled: boolean
  /** Why the last start failed; empty if it did not. */
  readonly error: string
}

interface Alive extends LastRun {
  /** PID of the init process on the host, guarded against reuse by its start time (/proc/PID/stat field 22). */
  readonly pid: number
  readonly startTime: bigint
}

export type ContainerState =
  | ({ readonly status: 'created' | 'exited' | 'dead' } & LastRun)
  | ({ readonly status: 'running' | 'paused' } & Alive)
  | ({ readonly status: 'restarting'; readonly restartAtNs: bigint } & LastRun)
  | ({ readonly status: 'removing' } & LastRun)

const TRANSITIONS: Readonly<Record<ContainerStatus, readonly ContainerStatus[]>> = {
  created: ['created', 'running', 'exited', 'removing'],
  running: ['paused', 'restarting', 'exited', 'removing'],
  paused: ['running', 'restarting', 'exited', 'removing'],
  restarting: ['running', 'exited', 'removing'],
  exited: ['running', 'exited', 'removing'],
  removing: ['dead'],
  dead: ['removing'],
}

/** Throws when the engine itself is wrong: users are answered by `assertCan…` before. */
export function assertTransition(from: ContainerStatus, to: ContainerStatus): void {
  if (!TRANSITIONS[from].includes(to)) {
    throw new EngineError('INTERNAL', `a ${from} container cannot become ${to}`)
  }
}

/** The process exists. */
export function isAlive(
  state: ContainerState,
): state is Extract<ContainerState, { status: 'running' | 'paused' }> {
  return state.status === 'running' || state.status === 'paused'
}

/** It does not run because a checkpoint has ended it. */
export function isCheckpointed(container: {
  readonly state: ContainerState
  readonly bookkeeping: { readonly isCheckpointed: boolean }
}): boolean {
  return container.state.status === 'exited' && container.bookkeeping.isCheckpointed
}

/** What Docker calls running: also between two runs of a restart policy. */
export function isRunningForUser(state: ContainerState): boolean {
  return isAlive(state) || state.status === 'restarting'
}

export const NEVER_RUN: LastRun = {
  startedAtNs: 0n,
  finishedAtNs: 0n,
  exitCode: 0,
  isOomKilled: false,
  error: '',
}

/** The last run of any state, without its status. */
export function lastRun(state: ContainerState): LastRun {
  const { startedAtNs, finishedAtNs, exitCode, isOomKilled, error } = state
  return { startedAtNs, finishedAtNs, exitCode, isOomKilled, error }
}
