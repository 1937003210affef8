import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { interleave, type Row } from '../measure.ts'
import { line, shell } from '../shell.ts'

const LINES = 1_000_000
/** The same program everywhere: busybox, which is all that the image has. */
const WRITE = `yes 'a line of a log, of some forty characters' | head -n ${LINES}`

/** A million log lines: written in the background, read back, followed; and through an attached client, both ways. */
export async function logsSuite(context: Context): Promise<Row[]> {
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  const runs = Math.max(3, Math.ceil(context.runs / 4))
  const out = join(context.folder, 'lines')
  const written = `sh -c "${WRITE}"`
  const flags = '--log-opt max-size=1g --network none'
  const input = join(context.folder, 'input')
  writeFileSync(input, Buffer.alloc(200_000_000, 'bytes for the standard input of a container\n'))
  const rows: Row[] = []
  const measure = async (
    what: string,
    contenders: Parameters<typeof interleave>[2],
  ): Promise<void> => {
    rows.push(...(await interleave('logs', what, contenders, runs)))
  }
  const each = (
    body: (cli: (rest: string) => string) => string,
  ): Parameters<typeof interleave>[2] =>
    engines.map((engine) => ({
      engine: engine.name,
      run: () => shell(body((rest) => line(engine, rest))),
    }))
  await measure('1 M log lines, written', [
    ...engines.map((engine) => ({
      engine: engine.name,
      prepare: () => shell(`${line(engine, 'rm -f bench-log')} 2>/dev/null >&2; true`),
      run: () =>
        shell(
          `${line(engine, `run -d ${flags} --name bench-log bench ${written}`)} && ${line(engine, 'wait bench-log')}`,
        ),
    })),
    { engine: 'cat > file', run: () => shell(`busybox sh -c "${WRITE}" | cat > ${out}`) },
  ])
  await measure(
    '1 M log lines, read back',
    each((cli) => `${cli('logs bench-log')} > ${out}`),
  )
  await measure(
    '1 M log lines, followed while they are written',
    each(
      (cli) =>
        `${cli('restart -t 0 bench-log')} && ${cli('logs -f --tail 1000000 bench-log')} > ${out}`,
    ),
  )
  await measure(
    '1 M lines, attached run',
    each((cli) => `${cli(`run --rm ${flags} bench ${written}`)} > ${out}`),
  )
  await measure(
    '200 MB to stdin and back, attached run',
    each(
      (cli) =>
        `${cli(`run --rm -i --log-driver none --network none bench cat`)} < ${input} > ${out}`,
    ),
  )
  for (const engine of engines) await shell(line(engine, 'rm -f bench-log'))
  return rows
}
