import type { Context } from '../context.ts'
import { interleave, type Row } from '../measure.ts'
import { command, line, shell } from '../shell.ts'

const FILE_MB = 512
const NETWORK_MB = 512
/** 5000 as /proc/net/tcp has it. */
const PORT = ':1388'

/**
 * What a container gets of the machine: its root filesystem's throughput, beside that of the host's, and that of the bridge between
 * two containers. The receiver counts the bytes.
 */
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
    [
      ...engines.map((engine) => ({
        engine: engine.name,
        prepare: () => shell(line(engine, 'exec bench-b rm -f /file')),
        run: () => shell(line(engine, `exec bench-b ${write('/file')}`)),
      })),
      {
        engine: 'host',
        prepare: () => shell(`rm -f ${context.folder}/file`),
        run: () => shell(`busybox ${write(`${context.folder}/file`)}`),
      },
    ],
    runs,
  )
  const network = await interleave(
    'inside',
    `${NETWORK_MB} MB from container to container over the bridge`,
    engines.map((engine) => ({
      engine: engine.name,
      prepare: async () => {
        await shell(line(engine, 'exec -d bench-a nc -l -p 5000 -e wc -c'))
        const isListening = `grep -q ${PORT} /proc/net/tcp /proc/net/tcp6`
        await shell(line(engine, `exec bench-a sh -c "until ${isListening}; do :; done"`))
      },
      run: async () => {
        const send = `dd if=/dev/zero bs=64k count=${NETWORK_MB * 16} 2>/dev/null | nc ${addresses.get(engine.name)} 5000`
        const received = await command([...engine.cli, 'exec', 'bench-b', 'sh', '-c', send])
        if (Number(received) !== NETWORK_MB << 20) throw new Error(`only ${received} bytes arrived`)
      },
    })),
    runs,
  )
  for (const engine of engines) await shell(line(engine, 'rm -f bench-a bench-b'))
  return [...megabytesPerSecond(file, FILE_MB), ...megabytesPerSecond(network, NETWORK_MB)]
}

function write(path: string): string {
  return `dd if=/dev/zero of=${path} bs=64k count=${FILE_MB * 16} 2>/dev/null`
}
