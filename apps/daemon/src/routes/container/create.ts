import { type ContainerConfig, ContainerCreate, ContainerCreated } from '@ctr/api'
import { createContainer, replaceContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const createContainerRoute = route({
  method: 'POST',
  path: '/containers/create',
  summary: 'Create a container',
  // `replace` is ours.
  query: { name: 'string', platform: 'string', replace: 'boolean' },
  body: ContainerCreate,
  status: 201,
  response: ContainerCreated,
  handle: async ({ engine }, { query, body, apiMinor }) => {
    const request = createRequest(body, query, apiMinor)
    const create = query.replace === true ? replaceContainer : createContainer
    const { id, warnings } = await create(engine, request)
    return { Id: id, Warnings: [...warnings] }
  },
})

type CreateRequest = Parameters<typeof createContainer>[1]

/** Takes the one document of the API apart; the checks of what it says are the engine's. */
export function createRequest(
  body: ContainerCreate,
  query: { name?: string | undefined; platform?: string | undefined },
  apiMinor: number,
): CreateRequest {
  if (Object.keys(body).length === 0) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'Config cannot be empty in order to create a container',
    )
  }
  const { HostConfig = {}, NetworkingConfig, ...config } = body
  return {
    config: withOldDefaults(config, apiMinor),
    // moby: KernelMemory is dropped from v1.42 on.
    hostConfig: HostConfig,
    ...(NetworkingConfig === undefined ? {} : { networkingConfig: NetworkingConfig }),
    ...(query.name === undefined ? {} : { name: query.name }),
    ...(query.platform === undefined ? {} : { platform: query.platform }),
  }
}

/** An exec form of a StartInterval is unknown before v1.44. Engine API version history */
function withOldDefaults(config: ContainerConfig, apiMinor: number): ContainerConfig {
  const { Healthcheck } = config
  if (apiMinor >= 44 || Healthcheck?.StartInterval === undefined) return config
  const { StartInterval: _, ...older } = Healthcheck
  return { ...config, Healthcheck: older }
}
