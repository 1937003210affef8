import { ErrorResponse, type JsonSchema } from '@ctr/api'
import { API_VERSION } from './http/api-version.ts'
import type { QuerySpec } from './http/query.ts'
import type { AnyRoute } from './http/route.ts'
import { VERSION } from './version.ts'

/** OpenAPI 3.1 (its schemas are JSON Schema), made from what the routes declare. */
export function openApiDocument(routes: readonly AnyRoute[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'ctr',
      version: VERSION,
      description: `The Docker Engine API v${API_VERSION}. Every path may be prefixed with a version, /v1.24 to /v${API_VERSION}.`,
    },
    servers: [{ url: `/v${API_VERSION}` }, { url: '/' }],
    paths,
    components: { schemas: { ErrorResponse } },
  }
}

function operation(route: AnyRoute): object {
  const status = String(route.status ?? (route.response === undefined ? 204 : 200))
  return {
    summary: route.summary,
    operationId: operationId(route),
    tags: [route.path.split('/')[1]],
    parameters: [...pathParameters(route.path), ...queryParameters(route.query ?? {})],
    ...(route.body === undefined
      ? {}
      : { requestBody: jsonBody(route.body, route.isBodyOptional) }),
    ...(route.takesStream === true ? { requestBody: streamBody() } : {}),
    responses: {
      [status]: { description: 'Done', ...content(route.response) },
      default: {
        description: 'An error',
        ...content({ $ref: '#/components/schemas/ErrorResponse' } as JsonSchema),
      },
    },
  }
}

function operationId({ method, path }: AnyRoute): string {
  const words = path.replaceAll(':', '').split(/[/_.]/)
  return [method.toLowerCase(), ...words.filter((word) => word !== '')]
    .map((word, index) => (index === 0 ? word : word[0]?.toUpperCase() + word.slice(1)))
    .join('')
}

function pathParameters(path: string): object[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters(query: QuerySpec): object[] {
  return Object.entries(query).map(([name, kind]) => ({
    name,
    in: 'query',
    schema: kind === 'strings' ? { type: 'array', items: { type: 'string' } } : { type: kind },
  }))
}

function jsonBody(schema: JsonSchema, isOptional: boolean | undefined): object {
  return { required: isOptional !== true, ...content(schema) }
}

function streamBody(): object {
  return {
    content: { 'application/x-tar': { schema: { type: 'string', format: 'binary' } } },
  }
}

function content(schema: JsonSchema | undefined): object {
  return schema === undefined ? {} : { content: { 'application/json': { schema } } }
}
