import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { CTR_BRIDGE, type Engine } from '../engines.ts'
import { Api } from '../http.ts'
import { type Contender, interleave, pause, type Row, summarize } from '../measure.ts'
import { command } from '../shell.ts'

async function cycle(api: Api, network: string): Promise<void> {
  const id = await api.create({
    Image: 'bench',
    Cmd: ['true'],
    HostConfig: { NetworkMode: network },
  })
  await api.call('POST', `/containers/${id}/start`)
  await api.call('POST', `/containers/${id}/wait`)
  await api.call('DELETE', `/containers/${id}?force=1`)
}

const NETWORKS = ['none', 'default'] as const
const CLIENTS = [1, 4, 16]
/** Where a cycle takes 0.2 s, three rounds tell as much as ten of what takes a twentieth. */
const PEER_ROUNDS = 3

/**
 * create → start → wait → delete over one kept-open connection a client; CPU of daemon, helpers and container beside it.
 * The floor beside them does the kernel's part, as many side by side.
 */
export async function apiSuite(context: Context): Promise<Row[]> {
  const rows: Row[] = []
  for (const network of NETWORKS) {
    for (const clients of CLIENTS) rows.push(...(await compareCycles(context, network, clients)))
  }
  return rows
}

interface CycleContender extends Contender {
  /** CPU milliseconds of each cycle that counts. */
  readonly cpu: number[]
  readonly close: () => void
}

async function compareCycles(context: Context, network: string, clients: number): Promise<Row[]> {
  const each = clients === 16 ? 2 : 4
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  const contenders = [
    ...engines.map((engine) => cycles(engine, { network, clients, each })),
    floorCycles(context, { network, clients, each }),
  ]
  const what = `create-start-wait-delete, ${clients} clients, network ${network === 'default' ? 'bridge' : 'none'}`
  const rounds = Math.max(PEER_ROUNDS, Math.ceil(context.runs / 2))
  const measured = await interleave('api', what, contenders, rounds, 200)
  for (const { close } of contenders) close()
  const share = 1 / each / clients
  return [
    ...measured.map((row) => ({
      ...row,
      median: row.median * share,
      min: row.min * share,
      max: row.max * share,
    })),
    ...contenders.map(({ engine, cpu }) =>
      summarize('api', `${what}: CPU of engine and container`, engine, cpu, 'CPU ms'),
    ),
  ]
}

interface CycleOptions {
  readonly network: string
  readonly clients: number
  /** Cycles of one client in one round. */
  readonly each: number
}

function cycles(engine: Engine, { network, clients, each }: CycleOptions): CycleContender {
  const apis = Array.from({ length: clients }, () => new Api(engine.socket ?? ''))
  const cpu: number[] = []
  return {
    engine: engine.name,
    ...(engine.name === 'ctr' ? {} : { rounds: PEER_ROUNDS }),
    run: async (round) => {
      const before = engine.cpu.usedMs()
      const begin = performance.now()
      await Promise.all(
        apis.map(async (api) => {
          for (let i = 0; i < each; i++) await cycle(api, network)
        }),
      )
      const ms = performance.now() - begin
      if (round >= 0) cpu.push((engine.cpu.usedMs() - before) / each / clients)
      return ms
    },
    cpu,
    close: () => {
      for (const api of apis) api.close()
    },
  }
}

function floorCycles(context: Context, { network, clients, each }: CycleOptions): CycleContender {
  const work = join(context.folder, `floor-${network}-${clients}`)
  mkdirSync(work)
  // The floor needs a bridge, and finds this engine's.
  const hasBridge = context.engines.some((engine) => engine.name === 'ctr')
  const bridge = network === 'default' && hasBridge ? CTR_BRIDGE : ''
  const cpu: number[] = []
  return {
    engine: 'floor',
    run: async (round) => {
      const args = [context.rootfs, work, String(each), bridge, String(clients)]
      const text = await command([context.floor, ...args])
      const [ms = Number.NaN, cpuMs = Number.NaN] = text.split(' ').map(Number)
      if (round >= 0) cpu.push(cpuMs / each / clients)
      return ms
    },
    cpu,
    close: () => undefined,
  }
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
