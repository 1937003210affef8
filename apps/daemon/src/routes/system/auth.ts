import { AuthConfig, AuthResponse } from '@ctr/api'
import { route } from '../../http/route.ts'

export const authRoute = route({
  method: 'POST',
  path: '/auth',
  summary: 'Check credentials with a registry',
  body: AuthConfig,
  response: AuthResponse,
  handle: async ({ engine }, { body, signal }): Promise<AuthResponse> => {
    await engine.images.checkLogin(body, signal)
    return { Status: 'Login Succeeded', IdentityToken: '' }
  },
})
