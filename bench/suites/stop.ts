import { request } from '../client.ts'
import type { Context } from '../context.ts'
import { type Served, served } from '../engines.ts'
import { interleave, pause, type Row } from '../measure.ts'

const NAME = 'bench-stop'
const CREATE = request('POST', `/containers/create?name=${NAME}`, {
  Image: 'bench',
  Cmd: ['sh', '-c', 'trap exit TERM; while :; do sleep 1000 & wait; done'],
})
const START = request('POST', '/containers/{Id}/start')
const STOP = request('POST', `/containers/${NAME}/stop`)
const REMOVE = request('DELETE', `/containers/${NAME}`)
/** The shell sets its trap. */
const TRAP_MS = 100

/** Stop of a process that ends at SIGTERM, and removal of a stopped container, by API. */
export async function stopSuite({ engines, drive, runs }: Context): Promise<Row[]> {
  const contenders = served(engines)
  const start = async (engine: Served): Promise<void> => {
    await drive(engine, [CREATE, START])
    await pause(TRAP_MS)
  }
  const stop = contenders.map((engine) => ({
    engine: engine.name,
    prepare: () => start(engine),
    run: () => drive(engine, [STOP]),
    after: async () => {
      await drive(engine, [REMOVE])
    },
  }))
  const remove = contenders.map((engine) => ({
    engine: engine.name,
    prepare: async () => {
      await start(engine)
      await drive(engine, [STOP])
    },
    run: () => drive(engine, [REMOVE]),
  }))
  return [
    ...(await interleave('stop', 'stop (API, bridge)', stop, runs)),
    ...(await interleave('stop', 'rm of a stopped container (API)', remove, runs)),
  ]
}
