import type { Drive } from './client.ts'
import type { Engine } from './engines.ts'

/** What every suite gets. */
export interface Context {
  readonly engines: readonly Engine[]
  /** Bare OCI runtimes on this machine: runc, crun. */
  readonly runtimes: readonly string[]
  readonly folder: string
  readonly rootfs: string
  readonly bundle: string
  /** The compiled floor.c. */
  readonly floor: string
  /** The compiled launch.c. */
  readonly launcher: string
  /** Runs the compiled client.c. */
  readonly drive: Drive
  readonly runs: number
}
