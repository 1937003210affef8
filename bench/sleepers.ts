import { type Drive, request, type Traffic } from './client.ts'
import type { Served } from './engines.ts'

/** Creates and starts `count` containers that sleep, named `prefix` with their numbers from 0. */
export async function startSleepers(
  drive: Drive,
  engine: Served,
  prefix: string,
  count: number,
): Promise<Traffic> {
  const config = {
    Image: 'bench',
    Cmd: ['sleep', '100000'],
    HostConfig: { NetworkMode: 'none' },
  }
  return drive(
    engine,
    [
      request('POST', `/containers/create?name=${prefix}{n}`, config),
      request('POST', '/containers/{Id}/start'),
    ],
    { times: count },
  )
}

export async function removeSleepers(
  drive: Drive,
  engine: Served,
  prefix: string,
  count: number,
): Promise<void> {
  await drive(engine, [request('DELETE', `/containers/${prefix}{n}?force=1`)], { times: count })
}
