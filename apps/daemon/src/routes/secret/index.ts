import {
  parseFilters,
  Secret,
  SecretCreated,
  type Secret as SecretDocument,
  SecretSpec,
} from '@ctr/api'
import {
  createSecret,
  getSecret,
  listSecrets,
  removeSecret,
  SECRET_FILTERS,
  updateSecret,
} from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { type AnyRoute, route } from '../../http/route.ts'
import { rfc3339 } from '../../time.ts'

/** Secrets of this host, in the shape of swarm's, so that `docker secret` works. Their data is never answered. */
export const secretRoutes: readonly AnyRoute[] = [
  route({
    method: 'GET',
    path: '/secrets',
    summary: 'List secrets',
    query: { filters: 'string' },
    handle: async ({ engine }, { query }) =>
      listSecrets(engine, parseFilters(query.filters, SECRET_FILTERS)).map(render),
  }),
  route({
    method: 'POST',
    path: '/secrets/create',
    summary: 'Create a secret',
    body: SecretSpec,
    status: 201,
    response: SecretCreated,
    handle: async ({ engine }, { body }) => ({
      ID: createSecret(engine, {
        name: body.Name ?? '',
        labels: body.Labels ?? {},
        data: decodeData(body.Data ?? ''),
      }),
    }),
  }),
  route({
    method: 'GET',
    path: '/secrets/:id',
    summary: 'Inspect a secret',
    response: Secret,
    handle: async ({ engine }, { id }) => render(getSecret(engine, id)),
  }),
  route({
    method: 'DELETE',
    path: '/secrets/:id',
    summary: 'Remove a secret',
    status: 204,
    handle: async ({ engine }, { id }) => {
      removeSecret(engine, id)
      return undefined
    },
  }),
  route({
    method: 'POST',
    path: '/secrets/:id/update',
    summary: "Change a secret's labels",
    query: { version: 'integer' },
    body: SecretSpec,
    handle: async ({ engine }, { id, query, body }) => {
      const { name } = getSecret(engine, id)
      if ((body.Name !== undefined && body.Name !== name) || (body.Data ?? '') !== '') {
        throw new EngineError('INVALID_ARGUMENT', 'only updates to Labels are allowed')
      }
      updateSecret(engine, id, { version: query.version ?? 0, labels: body.Labels ?? {} })
      return undefined
    },
  }),
]

function render(secret: ReturnType<typeof getSecret>): SecretDocument {
  return {
    ID: secret.id,
    Version: { Index: secret.version },
    CreatedAt: rfc3339(secret.createdAtNs),
    UpdatedAt: rfc3339(secret.updatedAtNs),
    Spec: { Name: secret.name, Labels: { ...secret.labels } },
  }
}

function decodeData(text: string): Buffer {
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0) {
    return Buffer.from(text, 'base64')
  }
  throw new EngineError('INVALID_ARGUMENT', 'invalid JSON: Data is not base64')
}
