import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { interleave, type Row } from '../measure.ts'
import { line, shell } from '../shell.ts'

/** Load, and commit of a container that has written as much: 120 MB in 20,000 files, beside tar. */
export async function imagesSuite(context: Context): Promise<Row[]> {
  const engines = context.engines.filter((engine) => engine.socket !== undefined)
  const runs = Math.max(3, Math.ceil(context.runs / 4))
  const tree = join(context.folder, 'tree')
  for (let dir = 0; dir < 200; dir++) {
    mkdirSync(join(tree, 'tree', `d${dir}`), { recursive: true })
    for (let file = 0; file < 100; file++)
      writeFileSync(
        join(tree, 'tree', `d${dir}`, `f${file}`),
        Buffer.alloc(6000, `${dir}/${file} `),
      )
  }
  const rootTar = join(context.folder, 'tree.tar')
  execFileSync('tar', ['-C', tree, '-cf', rootTar, '.'])
  const [first] = engines
  if (first === undefined) return []
  const image = join(context.folder, 'big.tar')
  await shell(
    `${line(first, `import ${rootTar} bench-big`)} && ${line(first, `save -o ${image} bench-big`)}`,
  )
  const out = join(context.folder, 'untar')
  const rows = await interleave(
    'images',
    'load of 120 MB, 20,000 files',
    [
      ...engines.map((engine) => ({
        engine: engine.name,
        prepare: () => shell(`${line(engine, 'rmi -f bench-big')} 2>/dev/null >&2; true`),
        run: () => shell(line(engine, `load -i ${image}`)),
      })),
      {
        engine: 'tar -xf',
        prepare: async () => {
          rmSync(out, { recursive: true, force: true })
          mkdirSync(out)
        },
        run: () => shell(`tar -C ${out} -xf ${rootTar}`),
      },
    ],
    runs,
    500,
  )
  for (const engine of engines) {
    await shell(
      `${line(engine, `run --name bench-commit --network none -v ${tree}/tree:/in:ro bench cp -r /in /copy`)} && ${line(engine, 'rmi -f bench-big')}`,
    )
  }
  rows.push(
    ...(await interleave(
      'images',
      'commit of 120 MB, 20,000 files',
      [
        ...engines.map((engine) => ({
          engine: engine.name,
          prepare: () => shell(`${line(engine, 'rmi -f bench-committed')} 2>/dev/null >&2; true`),
          run: () => shell(line(engine, 'commit bench-commit bench-committed')),
        })),
        {
          engine: 'tar -cf',
          run: () => shell(`tar -C ${tree} -cf ${join(context.folder, 'again.tar')} .`),
        },
      ],
      runs,
      500,
    )),
  )
  for (const engine of engines) {
    await shell(
      `${line(engine, 'rm -f bench-commit')} && ${line(engine, 'rmi -f bench-committed')}`,
    )
  }
  return rows
}
