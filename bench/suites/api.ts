import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { request } from '../client.ts'
import type { Context } from '../context.ts'
import { CTR_BRIDGE, type Served, served } from '../engines.ts'
import {
  type Contender,
  interleave,
  type Measured,
  pause,
  type Row,
  summarize,
} from '../measure.ts'
import { command } from '../shell.ts'

const NETWORKS = ['none', 'default'] as const
type Network = (typeof NETWORKS)[number]
/** How many cycles each of so many clients runs in one round: tens of them, so that the first after a pause does not count for much. */
const CYCLES = new Map([
  [1, 10],
  [4, 5],
  [16, 3],
])
const STEPS = ['create', 'start', 'wait', 'delete']
/** Where a cycle takes 0.2 s, three rounds tell as much as ten of what takes a twentieth. */
const PEER_ROUNDS = 3
const COLD_CYCLES = 50
const COLD_ROUNDS = 3
/** For each engine and network: some five hundred cycles of this engine, some twenty of dockerd. */
const WARM_UP_MS = 5000

function cycle(network: Network): string[] {
  const HostConfig = { NetworkMode: network }
  return [
    request('POST', '/containers/create', { Image: 'bench', Cmd: ['true'], HostConfig }),
    request('POST', '/containers/{Id}/start'),
    request('POST', '/containers/{Id}/wait'),
    request('DELETE', '/containers/{Id}?force=1'),
  ]
}

/**
 * create → start → wait → delete over one kept-open connection a client; CPU of daemon, helpers and container beside it.
 * First of daemons that have just started, then of the same when they are warm, beside the floor: the kernel's part, as many
 * side by side.
 */
export async function apiSuite(context: Context): Promise<Row[]> {
  const rows = await coldCycles(context)
  await warmUp(context)
  for (const network of NETWORKS) {
    for (const [clients, each] of CYCLES) {
      rows.push(...(await compareCycles(context, { network, clients, each })))
    }
  }
  return [...rows, ...(await steps(context))]
}

/** What one cycle is worth on the way to a daemon that has compiled its code, or filled its caches. */
async function coldCycles({ engines, drive }: Context): Promise<Row[]> {
  const contenders = served(engines).map((engine) => ({
    engine: engine.name,
    prepare: async () => {
      await engine.restart?.()
    },
    run: async () =>
      perCycle(await drive(engine, cycle('none'), { times: COLD_CYCLES }), COLD_CYCLES),
  }))
  const what = `create-start-wait-delete, the first ${COLD_CYCLES} after a daemon's start, network none`
  return interleave('api', what, contenders, COLD_ROUNDS, 200)
}

/** For every engine as long. */
async function warmUp({ engines, drive }: Context): Promise<void> {
  for (const engine of served(engines)) {
    for (const network of NETWORKS) {
      const end = performance.now() + WARM_UP_MS
      while (performance.now() < end) await drive(engine, cycle(network), { clients: 4 })
    }
  }
}

interface CycleOptions {
  readonly network: Network
  readonly clients: number
  /** Cycles of one client in one round. */
  readonly each: number
}

async function compareCycles(context: Context, options: CycleOptions): Promise<Row[]> {
  const contenders = [
    ...served(context.engines).map((engine) => cycles(context, engine, options)),
    floorCycles(context, options),
  ]
  const { network, clients } = options
  const what = `create-start-wait-delete, ${clients} ${clients === 1 ? 'client' : 'clients'}, network ${network === 'default' ? 'bridge' : 'none'}`
  const rounds = Math.max(PEER_ROUNDS, Math.ceil(context.runs / 2))
  return interleave('api', what, contenders, rounds, 200)
}

function perCycle({ ms, cpuMs }: Measured, count: number): Measured {
  return { ms: ms / count, cpuMs: cpuMs / count }
}

function cycles(
  { drive }: Context,
  engine: Served,
  { network, clients, each }: CycleOptions,
): Contender {
  return {
    engine: engine.name,
    ...(engine.name === 'ctr' ? {} : { rounds: PEER_ROUNDS }),
    run: async () => {
      const traffic = await drive(engine, cycle(network), { clients, times: each })
      return perCycle(traffic, clients * each)
    },
  }
}

function floorCycles(context: Context, { network, clients, each }: CycleOptions): Contender {
  const work = join(context.folder, `floor-${network}-${clients}`)
  mkdirSync(work)
  // The floor needs a bridge, and finds this engine's.
  const hasBridge = context.engines.some((engine) => engine.name === 'ctr')
  const bridge = network === 'default' && hasBridge ? CTR_BRIDGE : ''
  return {
    engine: 'floor',
    run: async () => {
      const args = [context.rootfs, work, String(each), bridge, String(clients)]
      const text = await command([context.floor, ...args])
      const [ms = Number.NaN, cpuMs = Number.NaN] = text.split(' ').map(Number)
      return perCycle({ ms, cpuMs }, clients * each)
    },
  }
}

/** Where the time of one client's cycles goes. */
async function steps({ engines, drive }: Context): Promise<Row[]> {
  const found = new Map(served(engines).map((engine) => [engine, STEPS.map((): number[] => [])]))
  for (let round = 0; round < PEER_ROUNDS; round++) {
    for (const [engine, times] of found) {
      const { requests } = await drive(engine, cycle('none'), { times: 10 })
      requests.forEach(({ median }, step) => times[step]?.push(median))
    }
  }
  return STEPS.flatMap((step, index) =>
    [...found].map(([{ name }, times]) =>
      summarize('api', `${step}, of the cycle of 1 client, network none`, name, times[index] ?? []),
    ),
  )
}

/** Exec create → start (not detached, output read) over one connection. */
export async function apiExecSuite({ engines, drive, runs }: Context): Promise<Row[]> {
  const contenders = served(engines)
  const exec = [
    request('POST', '/containers/bench-exec/exec', { Cmd: ['true'], AttachStdout: true }),
    request('POST', '/exec/{Id}/start', { Detach: false }),
  ]
  for (const engine of contenders) {
    const HostConfig = { NetworkMode: 'none' }
    await drive(engine, [
      request('POST', '/containers/create?name=bench-exec', {
        Image: 'bench',
        Cmd: ['sleep', '1000'],
        HostConfig,
      }),
      request('POST', '/containers/{Id}/start'),
    ])
    const end = performance.now() + WARM_UP_MS
    while (performance.now() < end) await drive(engine, exec, { times: 4 })
  }
  await pause(200)
  const rows = await interleave(
    'exec',
    'exec true (API)',
    contenders.map((engine) => ({
      engine: engine.name,
      run: () => drive(engine, exec),
    })),
    runs,
    10,
  )
  for (const engine of contenders) {
    await drive(engine, [request('DELETE', '/containers/bench-exec?force=1')])
  }
  return rows
}
