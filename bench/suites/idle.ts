import { readdirSync, readFileSync } from 'node:fs'
import type { Context } from '../context.ts'
import type { Engine } from '../engines.ts'
import { Api } from '../http.ts'
import { cpuOf, memoryOf, pause, type Row, summarize } from '../measure.ts'

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

const MAX_PEER = 200

/** N idle containers: start rate, memory outside them, list and inspect latency, idle CPU, restart of the daemon among them. */
export async function idleSuite(context: Context, counts: readonly number[]): Promise<Row[]> {
  const rows: Row[] = []
  for (const engine of context.engines) {
    if (engine.socket === undefined || engine.daemonPid === undefined) continue
    // What the import of the image needed is given back by then.
    await pause(35_000)
    const api = new Api(engine.socket)
    const ids: string[] = []
    const base = memoryOf(engine.daemonPid)
    // A peer needs minutes for what its memory and latency do not tell any better.
    const wanted = engine.name === 'ctr' ? counts : counts.filter((count) => count <= MAX_PEER)
    for (const count of wanted) {
      const begin = performance.now()
      const added = count - ids.length
      for (let i = ids.length; i < count; i++) {
        const id = await api.create({
          Image: 'bench',
          Cmd: ['sleep', '100000'],
          HostConfig: { NetworkMode: 'none' },
        })
        await api.call('POST', `/containers/${id}/start`)
        ids.push(id)
      }
      rows.push(
        summarize('idle', `start, ${count} containers`, engine.name, [
          (performance.now() - begin) / added,
        ]),
      )
      await pause(1000)
      const helpers = helperPids(engine).map((pid) => memoryOf(pid).pssBytes)
      const outside = helpers.reduce((sum, bytes) => sum + bytes, 0)
      const daemon = memoryOf(engine.daemonPid).pssBytes
      rows.push(
        summarize(
          'idle',
          `memory outside a container, ${count}`,
          engine.name,
          [outside / count / 1024],
          'KiB',
        ),
      )
      rows.push(
        summarize(
          'idle',
          `engine in all, ${count}`,
          engine.name,
          [(outside + daemon) / 1024 / 1024],
          'MiB',
        ),
      )
      rows.push(
        summarize('idle', `daemon before`, engine.name, [base.pssBytes / 1024 / 1024], 'MiB'),
      )
      const latency = async (what: string, path: string): Promise<void> => {
        const times: number[] = []
        for (let i = 0; i < 20; i++) {
          const start = performance.now()
          await api.call('GET', path)
          times.push(performance.now() - start)
        }
        rows.push(summarize('idle', `${what} among ${count}`, engine.name, times))
      }
      await latency('list', '/containers/json')
      await latency('inspect', `/containers/${ids[0]}/json`)
      const pids = [engine.daemonPid, ...helperPids(engine)]
      // Of the processes only whole ticks of 10 ms are known, which is 0.1 % of these seconds. The containers sleep.
      const ticks = (): number => pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
      const cpu = Number.isNaN(engine.cpu.usedMs()) ? ticks : (): number => engine.cpu.usedMs()
      const before = cpu()
      await pause(10_000)
      rows.push(
        summarize(
          'idle',
          `idle CPU, ${count}`,
          engine.name,
          [(cpu() - before) / 100],
          '% of one core',
        ),
      )
      if (engine.restart !== undefined)
        rows.push(
          summarize('idle', `daemon restart with ${count}`, engine.name, [await engine.restart()]),
        )
    }
    for (const id of ids) await api.call('DELETE', `/containers/${id}?force=1`)
    api.close()
  }
  return rows
}
