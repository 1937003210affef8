import { ContainerConfig, Type } from '@ctr/api'
import { commitContainer } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const commitContainerRoute = route({
  method: 'POST',
  path: '/commit',
  summary: 'Make an image from what a container has changed',
  query: {
    container: 'string',
    repo: 'string',
    tag: 'string',
    comment: 'string',
    author: 'string',
    pause: 'string',
    changes: 'strings',
  },
  body: ContainerConfig,
  isBodyOptional: true,
  status: 201,
  response: Type.Object({ Id: Type.String() }),
  handle: async ({ engine }, { query, body }) => {
    const { container, repo, tag, comment = '', author = '', pause, changes } = query
    if (container === undefined) {
      throw new EngineError('INVALID_ARGUMENT', 'invalid name or ID supplied: ""')
    }
    const id = await commitContainer(engine, {
      container,
      ...(repo === undefined ? {} : { reference: tag === undefined ? repo : `${repo}:${tag}` }),
      comment,
      author,
      changes: [...changes],
      // The default is true.
      pause: pause === undefined || !['0', 'false', 'no', 'none'].includes(pause.toLowerCase()),
      ...(Object.keys(body).length === 0 ? {} : { config: body }),
    })
    return { Id: id }
  },
})
