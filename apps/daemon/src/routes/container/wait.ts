import { WaitResponse } from '@ctr/api'
import { type WaitResult, waitContainer, waitedAlready, waitForHealth } from '@ctr/engine'
import { EngineError } from '@ctr/errdefs'
import { route } from '../../http/route.ts'

/** The last two are ours. */
const CONDITIONS = ['not-running', 'next-exit', 'removed', 'healthy', 'unhealthy'] as const

export const waitContainerRoute = route({
  method: 'POST',
  path: '/containers/:id/wait',
  summary: 'Block until a container has reached a condition',
  query: { condition: 'string' },
  response: WaitResponse,
  handle: async ({ engine }, { id, query, apiMinor, signal, openOutput }) => {
    // Conditions are of v1.30.
    const text = apiMinor < 30 ? undefined : query.condition
    const condition = CONDITIONS.find((known) => known === (text ?? 'not-running'))
    if (condition === undefined) {
      throw new EngineError('INVALID_ARGUMENT', `invalid condition: "${text}"`)
    }
    engine.containers.get(id)
    if (condition === 'not-running') {
      const { exitCode, error } = waitedAlready(engine, id, condition) ?? {}
      if (exitCode !== undefined) return waitResponse(exitCode, error, apiMinor)
    }
    const waiting =
      condition === 'healthy' || condition === 'unhealthy'
        ? waitForHealth(engine, id, condition, signal)
        : waitContainer(engine, id, condition, signal)
    waiting.catch(() => undefined)
    // A client starts the container when it sees our headers: by then the wait must be registered. Until v1.29 they came at the end.
    if (apiMinor < 30) await waiting
    const output = await openOutput('application/json')
    output.end(waitAnswer(await waiting, condition, apiMinor))
    return undefined
  },
})

export function waitAnswer(
  { exitCode, error }: WaitResult,
  condition: (typeof CONDITIONS)[number],
  apiMinor: number,
): string {
  // Until v1.33 an empty answer said that the removal has failed.
  if (condition === 'removed' && apiMinor < 34 && error !== undefined) return ''
  return `${JSON.stringify(waitResponse(exitCode, error, apiMinor))}\n`
}

export function waitResponse(
  exitCode: number,
  error: string | undefined,
  apiMinor: number,
): WaitResponse {
  if (error !== undefined && error !== '')
    return { StatusCode: exitCode, Error: { Message: error } }
  return apiMinor < 42 ? { StatusCode: exitCode, Error: null } : { StatusCode: exitCode }
}
