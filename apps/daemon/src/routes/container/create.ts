import { ContainerCreate, ContainerCreated } from '@ctr/api'
import { createContainer, replaceContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'
import { type CreateParts, meantBy, warningsOf } from './by-version.ts'

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
    const older = warningsOf(apiMinor, partsOf(body))
    const { id, warnings } = await create(engine, request)
    return { Id: id, Warnings: [...warnings, ...older] }
  },
})

export type CreateRequest = Parameters<typeof createContainer>[1]

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
  const { config, hostConfig, networkingConfig } = meantBy(apiMinor, partsOf(body))
  return {
    config,
    hostConfig,
    // They were not before v1.44.
    isReadOnlyNonRecursive: apiMinor < 44,
    ...(networkingConfig === undefined ? {} : { networkingConfig }),
    ...(query.name === undefined ? {} : { name: query.name }),
    // Of v1.41.
    ...(query.platform === undefined || apiMinor < 41 ? {} : { platform: query.platform }),
  }
}

function partsOf(body: ContainerCreate): CreateParts {
  const { HostConfig: hostConfig = {}, NetworkingConfig: networkingConfig, ...config } = body
  return { config, hostConfig, networkingConfig }
}
