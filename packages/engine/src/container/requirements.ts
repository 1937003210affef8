import { EngineError, isEngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import { healthCheckOf } from '../health/check.ts'
import { waitForHealth } from '../health/wait.ts'
import type { ContainerRecord } from './container.ts'
import { isAlive } from './state.ts'

/** `--requires name[:healthy]` */
interface Requirement {
  readonly name: string
  readonly isHealthy: boolean
}

function parseRequirement(text: string): Requirement {
  const [name = '', condition, ...more] = text.split(':')
  const isKnown = condition === undefined || condition === 'healthy' || condition === 'started'
  if (name === '' || !isKnown || more.length > 0) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid requirement ${JSON.stringify(text)}: must be CONTAINER[:healthy]`,
    )
  }
  return { name, isHealthy: condition === 'healthy' }
}

/** NOT_FOUND, INVALID_ARGUMENT (no health to wait for). */
export function validateRequirements(
  engine: Pick<Engine, 'containers'>,
  requires: readonly string[],
): void {
  for (const { name, isHealthy } of requires.map(parseRequirement)) {
    const { config } = engine.containers.get(name)
    if (isHealthy && healthCheckOf(config) === undefined) {
      throw new EngineError('INVALID_ARGUMENT', `container ${name} has no health check`)
    }
  }
}

/**
 * Starts what a container needs, and waits for the health of those that must be healthy. `start` starts one container
 * with what it needs itself. CONFLICT: one is missing, has ended, is unhealthy, or needs this one.
 */
export async function startRequirements(
  engine: Engine,
  container: ContainerRecord,
  start: (id: string) => Promise<void>,
): Promise<void> {
  const requirements = (container.hostConfig.Requires ?? []).map(parseRequirement)
  if (requirements.length === 0) return
  assertNoCycle(engine, container, [container.name])
  await Promise.all(
    requirements.map(({ name, isHealthy }) => startOne(engine, name, isHealthy, start)),
  )
}

async function startOne(
  engine: Engine,
  name: string,
  isHealthy: boolean,
  start: (id: string) => Promise<void>,
): Promise<void> {
  const needed = find(engine, name)
  const ended = new AbortController()
  try {
    const healthy = isHealthy ? waitForVerdict(engine, needed, ended.signal) : undefined
    healthy?.catch(() => undefined)
    if (!isAlive(needed.state)) await start(needed.id).catch(ignoreRunning)
    await healthy
  } finally {
    ended.abort()
  }
}

/** Registered before the start. */
async function waitForVerdict(
  engine: Engine,
  { id, name, state }: ContainerRecord,
  signal: AbortSignal,
): Promise<void> {
  // What is known of a former run says nothing.
  const isNew = !isAlive(state)
  const { promise: unhealthy, reject } = Promise.withResolvers<never>()
  using _listening = engine.health.listen(id, ({ status }) => {
    // One that has ended is unhealthy too; its exit says more.
    const hasEnded = !isAlive(engine.containers.byId(id)?.state ?? state)
    if (status === 'unhealthy' && !hasEnded) reject(failed(`container ${name} is unhealthy`))
  })
  if (!isNew && engine.health.of(id)?.status === 'unhealthy') {
    throw failed(`container ${name} is unhealthy`)
  }
  const healthy = isNew
    ? nextHealthy(engine, id, name, signal)
    : waitForHealth(engine, id, 'healthy', signal)
  const result = await Promise.race([healthy, unhealthy])
  if (result.error !== undefined) throw failed(result.error)
}

async function nextHealthy(
  engine: Engine,
  id: string,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly error?: string }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly error?: string }>()
  using _listening = engine.health.listen(id, ({ status }) => {
    if (status === 'healthy') resolve({})
  })
  void engine.waiters
    .add(id, 'attempt', signal)
    .then(({ exitCode }) =>
      resolve({ error: `container ${name} has ended (exit code ${exitCode})` }),
    )
  signal.addEventListener('abort', () => resolve({}), { once: true })
  return await promise
}

function find(engine: Pick<Engine, 'containers'>, name: string): ContainerRecord {
  const needed = engine.containers.find(name)
  if (needed === undefined) throw failed(`No such container: ${name}`)
  return needed
}

/** Names are looked up at each start, so a ring can come about by removal and creation. */
function assertNoCycle(
  engine: Pick<Engine, 'containers'>,
  container: ContainerRecord,
  path: readonly string[],
): void {
  for (const { name } of (container.hostConfig.Requires ?? []).map(parseRequirement)) {
    const needed = find(engine, name)
    if (path.includes(needed.name)) {
      throw failed(`containers need each other: ${[...path, needed.name].join(' → ')}`)
    }
    assertNoCycle(engine, needed, [...path, needed.name])
  }
}

function ignoreRunning(error: unknown): void {
  if (!isEngineError(error, 'NOT_MODIFIED')) throw error
}

function failed(reason: string): EngineError {
  return new EngineError('CONFLICT', `dependency failed to start: ${reason}`)
}
