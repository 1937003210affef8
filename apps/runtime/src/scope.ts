import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { isSystemdBooted, type ScopeName, startScope, stopScope } from '@ctr/linux'
import type { RuntimeSpec } from '@ctr/oci'
import type { Context } from './command.ts'
import { invalidArgument, unavailable } from './errors.ts'
import { findShim } from './shim-path.ts'

export function checkSystemd({ hasSystemdCgroup }: Context): void {
  if (!hasSystemdCgroup || isSystemdBooted()) return
  throw invalidArgument(
    'systemd cgroup flag passed, but systemd support for managing cgroups is not available',
  )
}

/**
 * A scope before its container: systemd makes one around a process only, so a process of our own is its first, until the
 * container's is in it.
 */
export class OpenScope {
  readonly #name: ScopeName
  readonly #first: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(name: ScopeName, first: ChildProcess) {
    this.#name = name
    this.#first = first
    // It may be killed with the scope at any time.
    this.#ended = once(first, 'exit')
  }

  static async open(name: ScopeName, id: string, spec: RuntimeSpec): Promise<OpenScope> {
    const first = spawn(findShim(), ['wait'], { stdio: ['pipe', 'ignore', 'inherit'], env: {} })
    try {
      await once(first, 'spawn')
      const scope = new OpenScope(name, first)
      await startScope(name, {
        pid: first.pid ?? 0,
        description: `container ${id}`,
        resources: spec.linux?.resources ?? {},
      })
      return scope
    } catch (error) {
      first.stdin?.destroy()
      const reason = error instanceof Error ? error.message : String(error)
      throw unavailable(`unable to apply cgroup configuration: ${reason}`, error)
    }
  }

  /** The container is in it. */
  async settle(): Promise<void> {
    this.#first.stdin?.destroy()
    await this.#ended
  }

  /** The container will not come. */
  async abandon(): Promise<void> {
    await this.settle()
    await stopScope(this.#name)
  }
}
