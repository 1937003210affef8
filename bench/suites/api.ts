import type { Context } from '../context.ts'
import { Api } from '../http.ts'
import { interleave, pause, type Row, summarize } from '../measure.ts'

async function cycle(api: Api, network: string): Promise<void> {
  const id = await api.create({
    Image: 'bench',
    Cmd: ['true'],
    HostConfig: { NetworkMode: network },
  })
  const gone = api.call('POST', `/containers/${id}/start`)
  await gone
  await api.call('POST', `/containers/${id}/wait`)
  await api.call('DELETE', `/containers/${id}?force=1`)
}

/** create → start → wait → delete over one kept-open connection a client; CPU of daemon, helpers and container beside it. */
export async function apiSuite(context: Context): Promise<Row[]> {
  const rows: Row[] = []
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  for (const network of ['none', 'default']) {
    for (const clients of [1, 4, 16]) {
      const apis = new Map(
        engines.map((engine) => [
          engine.name,
          Array.from({ length: clients }, () => new Api(engine.socket ?? '')),
        ]),
      )
      const cpu = new Map<string, number[]>(engines.map((engine) => [engine.name, []]))
      const each = 4
      const what = `create-start-wait-delete ×${each}, ${clients} clients, network ${network === 'default' ? 'bridge' : 'none'}`
      const measured = await interleave(
        'api',
        what,
        engines.map((engine) => ({
          engine: engine.name,
          run: async (round) => {
            const before = engine.cpu.usedMs()
            await Promise.all(
              (apis.get(engine.name) ?? []).map(async (api) => {
                for (let i = 0; i < each; i++) await cycle(api, network)
              }),
            )
            if (round >= 0)
              cpu.get(engine.name)?.push((engine.cpu.usedMs() - before) / each / clients)
          },
        })),
        Math.max(3, Math.ceil(context.runs / 2)),
        200,
      )
      rows.push(
        ...measured.map((row) => ({
          ...row,
          median: row.median / each / clients,
          min: row.min / each / clients,
          max: row.max / each / clients,
          what: what.replace(` ×${each}`, ''),
        })),
      )
      for (const engine of engines)
        rows.push(
          summarize(
            'api',
            `${what.replace(` ×${each}`, '')}: CPU of engine and container`,
            engine.name,
            cpu.get(engine.name) ?? [],
            'CPU ms',
          ),
        )
      for (const list of apis.values()) for (const api of list) api.close()
    }
  }
  return rows
}

/** exec create → start (not detached, output read) over one connection. */
export async function apiExecSuite(context: Context): Promise<Row[]> {
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  const sessions = await Promise.all(
    engines.map(async (engine) => {
      const api = new Api(engine.socket ?? '')
      const id = await api.create({
        Image: 'bench',
        Cmd: ['sleep', '1000'],
        HostConfig: { NetworkMode: 'none' },
      })
      await api.call('POST', `/containers/${id}/start`)
      return { engine, api, id }
    }),
  )
  await pause(200)
  const rows = await interleave(
    'exec',
    'exec true (API)',
    sessions.map(({ engine, api, id }) => ({
      engine: engine.name,
      run: async () => {
        const exec = JSON.parse(
          await api.call('POST', `/containers/${id}/exec`, { Cmd: ['true'], AttachStdout: true }),
        ).Id
        await api.call('POST', `/exec/${exec}/start`, { Detach: false })
      },
    })),
    context.runs,
    10,
  )
  for (const { api, id } of sessions) {
    await api.call('DELETE', `/containers/${id}?force=1`)
    api.close()
  }
  return rows
}
