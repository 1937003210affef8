import { AuthConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

export const authRoute = route({
  method: 'POST',
  path: '/auth',
  summary: 'Check credentials with a registry',
  body: AuthConfig,
  handle: async () => {
    throw new EngineError('NOT_IMPLEMENTED', 'login is not implemented yet')
  },
})
