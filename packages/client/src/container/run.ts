import type { ContainerCreate, ContainerCreated, RunReport, WaitResponse } from '@ctr/api'
import type { Client } from '../client.ts'
import { ResponseError } from '../errors.ts'
import type { RawStream } from '../http/connection.ts'

/** A larger request goes the long way: what is upgraded is read at once. */
export const MAX_BODY_CHARACTERS = 256 * 1024

export interface ContainerRun {
  readonly created: ContainerCreated
  /** Docker's frames, with REPORT as the last. */
  readonly stream: RawStream
}

/**
 * Creates a container, attaches to it and starts it, in one request. Undefined when that is not possible: the daemon is not
 * ours, or the request too large; then nothing has happened. Throws as `createContainer`.
 */
export async function runContainer(
  client: Client,
  options: {
    readonly name?: string | undefined
    readonly platform?: string | undefined
    readonly replace?: boolean | undefined
    /** The report tells the times of the phases. */
    readonly isTimed?: boolean | undefined
    readonly body: ContainerCreate
  },
): Promise<ContainerRun | undefined> {
  const { name, platform, replace, isTimed, body } = options
  if (JSON.stringify(body).length > MAX_BODY_CHARACTERS) return undefined
  try {
    const { stream, headers } = await client.upgrade({
      method: 'POST',
      path: '/containers/run',
      query: {
        name,
        platform,
        replace: replace === true ? true : undefined,
        timing: isTimed === true ? true : undefined,
      },
      json: body,
    })
    const id = headers['ctr-container-id']
    if (id === undefined) throw new Error('the daemon did not say which container it has made')
    const warnings = decodeURIComponent(headers['ctr-warnings'] ?? '%5B%5D')
    return { created: { Id: id, Warnings: JSON.parse(warnings) as string[] }, stream }
  } catch (error) {
    if (isUnknownRoute(error)) return undefined
    throw error
  }
}

/** dockerd: "page not found"; Podman: "Not Found", and 405. An image that is missing is named. */
export function isUnknownRoute(error: unknown): boolean {
  if (!(error instanceof ResponseError)) return false
  return (
    error.status === 405 || (error.status === 404 && /^(page )?not found$/i.test(error.message))
  )
}

/** The payload of REPORT: the end of the container, and its phases if they were asked for. Throws what the start would have thrown. */
export function readRunReport(
  text: string,
): WaitResponse & { readonly phases: NonNullable<RunReport['Phases']> } {
  const { Exit, Failure, Phases: phases = [] } = JSON.parse(text) as RunReport
  if (Exit !== undefined) return { ...Exit, phases }
  throw new ResponseError(Failure?.Status ?? 500, Failure?.Message ?? '')
}
