import type { Engine } from '../engine.ts'
import type { Exec } from './registry.ts'

export interface ExecListOptions {
  /** Of this container; absent: of all. */
  readonly container?: string | undefined
  /** Also those that have ended or were never started. */
  readonly all: boolean
}

/** The newest first. NOT_FOUND: the container. */
export function listExecs(
  engine: Pick<Engine, 'containers' | 'execs'>,
  { container, all }: ExecListOptions,
): Exec[] {
  const execs =
    container === undefined
      ? engine.execs.all()
      : engine.execs.ofContainer(engine.containers.get(container).id)
  return execs
    .filter((exec) => all || exec.state.status === 'running')
    .toSorted((a, b) => (a.createdAtNs > b.createdAtNs ? -1 : 1))
}
