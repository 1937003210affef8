import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import { containerEvent } from './container-event.ts'
import { validateName } from './create.ts'
import { noSuchContainer } from './registry.ts'

/** CONFLICT when the name is taken; INVALID_ARGUMENT. */
export async function renameContainer(
  engine: Engine,
  reference: string,
  newName: string,
): Promise<void> {
  const name = newName.startsWith('/') ? newName.slice(1) : newName
  const { id } = engine.containers.get(reference)
  if (name === '') {
    throw new EngineError('INVALID_ARGUMENT', 'Neither old nor new names may be empty')
  }
  await engine.queues.run(id, () => {
    const container = engine.containers.byId(id)
    if (container === undefined) throw noSuchContainer(reference)
    if (container.name === name) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        'Renaming a container with the same name as its current name',
      )
    }
    using _reservation = allocated(() => {
      validateName(name)
      return engine.containers.reserveName(name, id)
    })
    engine.events.commit('durable', () => {
      const renamed = engine.containers.changeDocuments(id, { name })
      engine.networks.renameContainer(id, name)
      engine.events.add(containerEvent(renamed, 'rename', { oldName: `/${container.name}` }))
    })
  })
}

/** Docker's words before those of a name that is refused. */
function allocated<T>(allocate: () => T): T {
  try {
    return allocate()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw new EngineError(error.code, `Error when allocating new name: ${error.message}`, {
      cause: error,
    })
  }
}
