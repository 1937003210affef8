import type { Context } from '../context.ts'
import { interleave, type Row } from '../measure.ts'
import { command, line, shell } from '../shell.ts'

const FILE_MB = 512
const NETWORK_MB = 2048

/** What a container gets of the machine: its root filesystem's throughput, and that of the bridge between two containers. */
export async function insideSuite(context: Context): Promise<Row[]> {
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  const runs = Math.max(3, Math.ceil(context.runs / 4))
  const addresses = new Map<string, string>()
  for (const engine of engines) {
    for (const name of ['bench-a', 'bench-b']) {
      await shell(line(engine, `run -d --name ${name} bench sleep 100000`))
    }
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
    addresses.set(engine.name, await command([...engine.cli, 'inspect', '-f', format, 'bench-a']))
  }
  const megabytesPerSecond = (rows: Row[], megabytes: number): Row[] =>
    rows.map((row) => ({
      ...row,
      unit: 'MB/s',
      median: megabytes / (row.median / 1000),
      min: megabytes / (row.max / 1000),
      max: megabytes / (row.min / 1000),
    }))
  const file = await interleave(
    'inside',
    `write of a file of ${FILE_MB} MB in a container`,
    engines.map((engine) => ({
      engine: engine.name,
      prepare: () => shell(line(engine, 'exec bench-b rm -f /file')),
      run: () =>
        shell(
          line(
            engine,
            `exec bench-b dd if=/dev/zero of=/file bs=64k count=${FILE_MB * 16} 2>/dev/null`,
          ),
        ),
    })),
    runs,
  )
  const network = await interleave(
    'inside',
    `${NETWORK_MB} MB from container to container over the bridge`,
    engines.map((engine) => ({
      engine: engine.name,
      prepare: () => shell(line(engine, 'exec -d bench-a sh -c "nc -l -p 5000 > /dev/null"')),
      run: () =>
        shell(
          line(
            engine,
            `exec bench-b sh -c "dd if=/dev/zero bs=64k count=${NETWORK_MB * 16} 2>/dev/null | nc ${addresses.get(engine.name)} 5000"`,
          ),
        ),
    })),
    runs,
  )
  for (const engine of engines) await shell(line(engine, 'rm -f bench-a bench-b'))
  return [...megabytesPerSecond(file, FILE_MB), ...megabytesPerSecond(network, NETWORK_MB)]
}
