import { randomInt } from 'node:crypto'
import type { Filters } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { matchesLabel } from '../container/query.ts'
import type { Engine } from '../engine.ts'
import type { NewEvent } from '../events.ts'
import type { Secret } from './registry.ts'

type Deps = Pick<Engine, 'secrets' | 'events' | 'clock' | 'containers'>

/** Docker's limit. swarmkit api/validation/secrets.go */
const MAX_BYTES = 500 * 1024

export const SECRET_FILTERS = ['id', 'label', 'name', 'names'] as const

/** INVALID_ARGUMENT, CONFLICT (name). Gives the id. */
export function createSecret(
  engine: Deps,
  request: {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly data: Buffer
  },
): string {
  const { name, labels, data } = request
  if (!/^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?$/.test(name)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]',
    )
  }
  if (data.byteLength === 0 || data.byteLength > MAX_BYTES) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `secret data must be larger than 0 and less than ${MAX_BYTES} bytes`,
    )
  }
  if (engine.secrets.all().some((secret) => secret.name === name)) {
    throw new EngineError('CONFLICT', `secret ${name} already exists`)
  }
  const nowNs = engine.clock.nowNs()
  const secret = {
    id: newSecretId(),
    name,
    labels,
    version: 1,
    createdAtNs: nowNs,
    updatedAtNs: nowNs,
  }
  engine.events.commit('durable', () => {
    engine.secrets.insert(secret, data)
    engine.events.add(secretEvent(secret, 'create'))
  })
  return secret.id
}

/** Values of one filter are alternatives (labels must all hold), filters must all hold. */
export function listSecrets(engine: Deps, filters: Filters): Secret[] {
  const isWanted = (secret: Secret): boolean =>
    [...filters].every(([key, values]) => {
      if (values.length === 0) return true
      switch (key) {
        case 'id':
          return values.some((value) => secret.id.startsWith(value))
        case 'name':
          return values.some((value) => secret.name.startsWith(value))
        case 'names':
          return values.includes(secret.name)
        case 'label':
          return values.every((value) => matchesLabel(secret.labels, value))
        default:
          return false
      }
    })
  return engine.secrets.all().filter(isWanted)
}

/** NOT_FOUND. */
export function getSecret(engine: Deps, reference: string): Secret {
  return engine.secrets.get(reference)
}

/** Only labels can change. CONFLICT unless `version` is the present one. */
export function updateSecret(
  engine: Deps,
  reference: string,
  change: { readonly version: number; readonly labels: Readonly<Record<string, string>> },
): void {
  const secret = engine.secrets.get(reference)
  if (change.version !== secret.version) {
    throw new EngineError('CONFLICT', 'update out of sequence')
  }
  engine.events.commit('durable', () => {
    engine.secrets.changeLabels(secret.id, change.labels, engine.clock.nowNs())
    engine.events.add(secretEvent(secret, 'update'))
  })
}

/** NOT_FOUND; CONFLICT while a container refers to it. */
export function removeSecret(engine: Deps, reference: string): void {
  const secret = engine.secrets.get(reference)
  const users = engine.containers
    .all()
    .filter(({ hostConfig }) =>
      hostConfig.Secrets?.some(({ Source = '' }) => engine.secrets.find(Source)?.id === secret.id),
    )
  if (users.length > 0) {
    const names = users.map(({ name }) => name).join(', ')
    throw new EngineError(
      'CONFLICT',
      `secret '${secret.name}' is in use by the following container: ${names}`,
    )
  }
  engine.events.commit('durable', () => {
    engine.secrets.delete(secret.id)
    engine.events.add(secretEvent(secret, 'remove'))
  })
}

function secretEvent(secret: Secret, action: string): NewEvent {
  return { type: 'secret', action, actorId: secret.id, attributes: { name: secret.name } }
}

/** 25 characters, as swarmkit's. */
function newSecretId(): string {
  return Array.from({ length: 25 }, () => randomInt(36).toString(36)).join('')
}
