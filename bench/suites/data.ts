import { execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { type Contender, interleave, type Row } from '../measure.ts'

/** Runs a shell line and waits; output thrown away. */
async function shell(line: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('sh', ['-c', line], { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${line}: exit ${code}`)),
    )
  })
}

/** Log and attach throughput of a million lines; load and commit of a 120 MB root of 20,000 files. */
export async function dataSuite(context: Context): Promise<Row[]> {
  const rows: Row[] = []
  const runs = Math.max(3, Math.ceil(context.runs / 4))
  const lines = "seq -f 'line %.0f of a log with some length to it' 1 1000000"
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  const cli = (engine: (typeof engines)[number], rest: string): string =>
    `${engine.cli.join(' ')} ${rest}`
  const seq = `sh -c "${lines}"`
  const plain: Contender = {
    engine: 'cat > file',
    run: () => shell(`${lines} | cat > ${context.folder}/lines`),
  }
  rows.push(
    ...(await interleave(
      'data',
      '1 M log lines, write',
      [
        ...engines.map((engine) => ({
          engine: engine.name,
          run: async () => {
            await shell(`${cli(engine, 'rm -f bench-log')} 2>/dev/null || true`)
            await shell(
              cli(
                engine,
                `run -d --log-opt max-size=1g --name bench-log --network none bench ${seq}`,
              ),
            )
            await shell(cli(engine, 'wait bench-log'))
          },
        })),
        plain,
      ],
      runs,
    )),
  )
  rows.push(
    ...(await interleave(
      'data',
      '1 M log lines, read back',
      engines.map((engine) => ({
        engine: engine.name,
        run: () => shell(`${cli(engine, 'logs bench-log')} > ${context.folder}/lines`),
      })),
      runs,
    )),
  )
  rows.push(
    ...(await interleave(
      'data',
      '1 M lines, attached run',
      engines.map((engine) => ({
        engine: engine.name,
        run: () =>
          shell(
            `${cli(engine, `run --rm --log-opt max-size=1g --network none bench ${seq}`)} > ${context.folder}/lines`,
          ),
      })),
      runs,
    )),
  )
  for (const engine of engines) await shell(`${cli(engine, 'rm -f bench-log')}`)

  const tree = join(context.folder, 'tree')
  for (let dir = 0; dir < 200; dir++) {
    mkdirSync(join(tree, `d${dir}`), { recursive: true })
    for (let file = 0; file < 100; file++)
      writeFileSync(join(tree, `d${dir}`, `f${file}`), Buffer.alloc(6000, `${dir}/${file} `))
  }
  const tar = join(context.folder, 'big.tar')
  const rootTar = join(context.folder, 'tree.tar')
  execFileSync('tar', ['-C', tree, '-cf', rootTar, '.'])
  const first = engines[0]
  if (first === undefined) return rows
  await shell(
    `${cli(first, `import ${rootTar} bench-big`)} && ${cli(first, `save -o ${tar} bench-big`)}`,
  )
  const out = join(context.folder, 'untar')
  rows.push(
    ...(await interleave(
      'data',
      'load of 120 MB, 20,000 files',
      [
        ...engines.map((engine) => ({
          engine: engine.name,
          run: async () => {
            await shell(`${cli(engine, 'rmi -f bench-big')} 2>/dev/null || true`)
            await shell(`${cli(engine, `load -i ${tar}`)}`)
          },
        })),
        {
          engine: 'tar -xf',
          run: async () => {
            rmSync(out, { recursive: true, force: true })
            mkdirSync(out)
            await shell(`tar -C ${out} -xf ${rootTar}`)
          },
        },
      ],
      runs,
    )),
  )
  return rows
}

/** Keeps a file open for nothing else than to fail early where the folder is not writable. */
export function checkFolder(folder: string): void {
  closeSync(openSync(join(folder, '.probe'), 'w'))
}
