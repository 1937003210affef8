import { type AnyRoute, route } from '../../http/route.ts'
import { openApiDocument } from '../../openapi.ts'

export function openApiRoute(routes: readonly AnyRoute[]): AnyRoute {
  return route({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This API as an OpenAPI document',
    handle: async () => openApiDocument(routes),
  })
}
