import type { Engine } from '../engine.ts'
import { type CreateRequest, createContainer, planContainer } from './create.ts'
import { removeContainer } from './remove.ts'

/**
 * `--replace`: a container of the same name goes first, even if it runs. Not before everything about the new one has
 * been checked: a request that cannot succeed removes nothing.
 */
export async function replaceContainer(
  engine: Engine,
  request: CreateRequest,
): Promise<{ id: string; warnings: string[] }> {
  const { name, ...unnamed } = request
  const old = name === undefined ? undefined : engine.containers.byName(name)
  if (old !== undefined) {
    planContainer(engine, unnamed)
    await removeContainer(engine, old.id, { force: true, volumes: false })
  }
  return createContainer(engine, request)
}
