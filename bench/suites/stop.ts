import type { Context } from '../context.ts'
import { Api } from '../http.ts'
import { interleave, type Row } from '../measure.ts'

/** Stop of a process that ends at SIGTERM, and removal of a stopped container, by API. */
export async function stopSuite(context: Context): Promise<Row[]> {
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  const sessions = engines.map((engine) => ({ engine, api: new Api(engine.socket ?? ''), id: '' }))
  const start = async (session: (typeof sessions)[number]): Promise<void> => {
    session.id = await session.api.create({
      Image: 'bench',
      Cmd: ['sh', '-c', 'trap exit TERM; while :; do sleep 1000 & wait; done'],
    })
    await session.api.call('POST', `/containers/${session.id}/start`)
    // The shell sets its trap.
    await session.api.call('GET', `/containers/${session.id}/json`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const rows = await interleave(
    'stop',
    'stop (API, bridge)',
    sessions.map((session) => ({
      engine: session.engine.name,
      prepare: () => start(session),
      run: async () => {
        await session.api.call('POST', `/containers/${session.id}/stop`)
      },
      after: async () => {
        await session.api.call('DELETE', `/containers/${session.id}?force=1`)
      },
    })),
    context.runs,
  )
  rows.push(
    ...(await interleave(
      'stop',
      'rm of a stopped container (API)',
      sessions.map((session) => ({
        engine: session.engine.name,
        prepare: async () => {
          await start(session)
          await session.api.call('POST', `/containers/${session.id}/stop`)
        },
        run: async () => {
          await session.api.call('DELETE', `/containers/${session.id}`)
        },
      })),
      context.runs,
    )),
  )
  for (const { api } of sessions) api.close()
  return rows
}
