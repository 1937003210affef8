import type { Engine } from '../engine.ts'

/** A container of a build stays when its build has ended: it is one like any other from now on. */
export function keepContainer(
  engine: Pick<Engine, 'containers' | 'events'>,
  reference: string,
): void {
  const { id, bookkeeping } = engine.containers.get(reference)
  engine.events.commit('volatile', () => {
    engine.containers.change(id, { bookkeeping: { ...bookkeeping, isOfBuild: false } })
  })
}
