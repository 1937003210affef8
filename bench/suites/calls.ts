import { request } from '../client.ts'
import type { Context } from '../context.ts'
import { type Served, served } from '../engines.ts'
import { interleave, pause, type Row } from '../measure.ts'
import { removeSleepers, startSleepers } from '../sleepers.ts'

const CONTAINERS = 50
const LOG_LINES = 1000
/** Of one round: one call alone would be the wake-up of a daemon. */
const CALLS = 20
const QUIET_MS = 3000

/** Calls that only read, of a daemon that has nothing else to do, among 50 containers that sleep. */
export async function callsSuite({ engines, drive, runs }: Context): Promise<Row[]> {
  const contenders = served(engines)
  const begin = seconds()
  for (const engine of contenders) {
    await startSleepers(drive, engine, 'bench-calls-', CONTAINERS)
    await drive(engine, [
      request('POST', '/containers/create?name=bench-log', {
        Image: 'bench',
        Cmd: ['seq', `${LOG_LINES}`],
        HostConfig: { NetworkMode: 'none' },
      }),
      request('POST', '/containers/{Id}/start'),
      request('POST', '/containers/{Id}/wait'),
    ])
  }
  const calls = {
    _ping: '/_ping',
    list: '/containers/json',
    'list with those that have ended': '/containers/json?all=1',
    inspect: '/containers/bench-calls-7/json',
    'logs, the last 100 lines': '/containers/bench-log/logs?stdout=1&stderr=1&tail=100',
    'events of the start of all': `/events?since=${begin}&until=${seconds() + 1}`,
  }
  await pause(QUIET_MS)
  const rows: Row[] = []
  for (const [what, path] of Object.entries(calls)) {
    const ask = async (engine: Served): Promise<{ ms: number; cpuMs: number }> => {
      const { ms, cpuMs } = await drive(engine, [request('GET', path)], { times: CALLS })
      return { ms: ms / CALLS, cpuMs: cpuMs / CALLS }
    }
    const asked = contenders.map((engine) => ({ engine: engine.name, run: () => ask(engine) }))
    rows.push(
      ...(await interleave('calls', `${what}, among ${CONTAINERS} containers`, asked, runs)),
    )
  }
  for (const engine of contenders) {
    await removeSleepers(drive, engine, 'bench-calls-', CONTAINERS)
    await drive(engine, [request('DELETE', '/containers/bench-log')])
  }
  return rows
}

/** Now, as `since` and `until` take it. */
function seconds(): number {
  return Math.floor(Date.now() / 1000)
}
