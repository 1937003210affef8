import { readdirSync, readFileSync } from 'node:fs'
import { request } from '../client.ts'
import type { Context } from '../context.ts'
import { type Engine, type Served, served } from '../engines.ts'
import { cpuOf, memoryOf, pause, type Row, summarize } from '../measure.ts'
import { removeSleepers, startSleepers } from '../sleepers.ts'

const MAX_PEER = 200
const MIB = 1024 * 1024
/** Half a minute after the last work V8 has given back memory, and the threads that images and files needed have ended. */
const SETTLE_MS = 35_000
const QUIET_MS = 20_000
const CALLS = 20

/** N idle containers: start rate, memory outside them, list and inspect latency, idle CPU, restart of the daemon among them. */
export async function idleSuite(context: Context, counts: readonly number[]): Promise<Row[]> {
  const rows: Row[] = []
  for (const engine of served(context.engines)) rows.push(...(await idle(context, engine, counts)))
  return rows
}

async function idle(context: Context, engine: Served, counts: readonly number[]): Promise<Row[]> {
  await pause(SETTLE_MS)
  const row = (what: string, value: number, unit?: string): Row =>
    summarize('idle', what, engine.name, [value], unit)
  const rows = [row('daemon before', memoryOf(daemonOf(engine)).pssBytes / MIB, 'MiB')]
  // A peer needs minutes for what its memory and latency do not tell any better.
  const wanted = engine.name === 'ctr' ? counts : counts.filter((count) => count <= MAX_PEER)
  let running = 0
  for (const count of wanted) {
    const added = count - running
    const { ms } = await startSleepers(context.drive, engine, `bench-${count}-`, added)
    running = count
    rows.push(row(`start, ${count} containers`, ms / added))
    await pause(1000)
    const memory = memoryOutside(engine)
    rows.push(
      row(`memory outside a container, ${count}`, memory.helperBytes / count / 1024, 'KiB'),
      row(`engine in all, ${count}`, (memory.helperBytes + memory.daemonBytes) / MIB, 'MiB'),
      ...(await latencies(context, engine, count)),
    )
    await pause(SETTLE_MS)
    rows.push(row(`idle CPU, ${count}`, await idleCpuPercent(engine), '% of one core'))
    if (engine.restart !== undefined)
      rows.push(row(`daemon restart with ${count}`, await engine.restart()))
  }
  for (const [index, count] of wanted.entries()) {
    const added = count - (wanted[index - 1] ?? 0)
    await removeSleepers(context.drive, engine, `bench-${count}-`, added)
  }
  return rows
}

async function latencies({ drive }: Context, engine: Served, count: number): Promise<Row[]> {
  const latency = async (what: string, path: string): Promise<Row> => {
    const { requests } = await drive(engine, [request('GET', path)], { times: CALLS })
    const { median = Number.NaN, least = Number.NaN, most = Number.NaN } = requests[0] ?? {}
    const among = `${what} among ${count}`
    const about = { suite: 'idle', what: among, engine: engine.name, unit: 'ms', runs: CALLS }
    return { ...about, median, min: least, max: most }
  }
  return [
    await latency('list', '/containers/json'),
    await latency('inspect', `/containers/bench-${count}-0/json`),
  ]
}

function memoryOutside(engine: Engine): { helperBytes: number; daemonBytes: number } {
  const helpers = helperPids(engine).map((pid) => memoryOf(pid).pssBytes)
  return {
    helperBytes: helpers.reduce((sum, bytes) => sum + bytes, 0),
    daemonBytes: memoryOf(daemonOf(engine)).pssBytes,
  }
}

async function idleCpuPercent(engine: Engine): Promise<number> {
  const pids = [daemonOf(engine), ...helperPids(engine)]
  // Of the processes only whole ticks of 10 ms are known, which is 0.05 % of these seconds. The containers sleep.
  const ticks = (): number => pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
  const usedMs = Number.isNaN(engine.cpu.usedMs()) ? ticks : (): number => engine.cpu.usedMs()
  const before = usedMs()
  await pause(QUIET_MS)
  return ((usedMs() - before) / QUIET_MS) * 100
}

function daemonOf({ name, daemonPid }: Engine): number {
  if (daemonPid === undefined) throw new Error(`${name} has no daemon`)
  return daemonPid
}

function helperPids(engine: Engine): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return engine.helpers.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      } catch {
        return false
      }
    })
}
