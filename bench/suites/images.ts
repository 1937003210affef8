import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { makeBigTree, makeImageArchive, makeLayer } from '../big-tree.ts'
import type { Context } from '../context.ts'
import type { Engine } from '../engines.ts'
import { type Contender, interleave, type Row } from '../measure.ts'
import { line, shell } from '../shell.ts'

/** Lets an engine do what it leaves for later outside the time of the next. */
const PAUSE_MS = 500

interface Setting {
  readonly engines: readonly Engine[]
  readonly folder: string
  readonly tree: string
  readonly runs: number
}

/**
 * Load, import, save, and commit of a container that has written as much: 120 MB in 20,000 files, beside tar. Every round has a
 * layer of its own and nothing is removed in between: ext4 does not give an inode again for a minute after its removal, and whoever
 * makes files next searches past all of them (up to 0.3 ms for each). Before each run the disk gets what others have left to it.
 */
export async function imagesSuite(context: Context): Promise<Row[]> {
  const folder = join(context.folder, 'images')
  mkdirSync(folder)
  const setting = {
    engines: context.engines.filter((engine) => engine.socket !== undefined),
    folder,
    tree: makeBigTree(folder),
    runs: Math.max(3, Math.ceil(context.runs / 4)),
  }
  return [
    ...(await load(setting)),
    ...(await importing(setting)),
    ...(await save(setting)),
    ...(await commit(setting)),
  ]
}

async function load({ engines, folder, tree, runs }: Setting): Promise<Row[]> {
  for (let round = -1; round < runs; round++) {
    const layer = join(folder, `load${round}.layer`)
    makeLayer(tree, layer)
    await shell(`cp ${layer} ${layer}.copy`)
    await makeImageArchive(layer, `bench-load${round}:latest`, join(folder, `load${round}.tar`))
  }
  return interleave(
    'images',
    'load of 120 MB, 20,000 files',
    [
      ...each(engines, (engine, round) => `${line(engine, `load -i ${folder}/load${round}.tar`)}`),
      untar(folder, (round) => `${folder}/load${round}.layer.copy`),
    ],
    runs,
    PAUSE_MS,
  )
}

async function importing({ engines, folder, tree, runs }: Setting): Promise<Row[]> {
  for (let round = -1; round < runs; round++) makeLayer(tree, join(folder, `import${round}.tar`))
  return interleave(
    'images',
    'import of 120 MB, 20,000 files',
    each(engines, (engine, round) =>
      line(engine, `import ${folder}/import${round}.tar bench-import${round}`),
    ),
    runs,
    PAUSE_MS,
  )
}

async function save({ engines, folder, tree, runs }: Setting): Promise<Row[]> {
  return interleave(
    'images',
    'save of 120 MB, 20,000 files',
    [
      ...each(engines, (engine, round) =>
        line(engine, `save -o ${folder}/save-${engine.name}${round}.tar bench-load0`),
      ),
      {
        engine: 'tar -cf',
        prepare: () => shell('sync'),
        run: (round) => shell(`tar -C ${tree} -cf ${folder}/tree${round}.tar .`),
      },
    ],
    runs,
    PAUSE_MS,
  )
}

async function commit({ engines, folder, tree, runs }: Setting): Promise<Row[]> {
  const write = `run --network none -v ${tree}/tree:/in:ro`
  return interleave(
    'images',
    'commit of 120 MB, 20,000 files',
    [
      ...engines.map((engine): Contender => {
        let round = -2
        return {
          engine: engine.name,
          prepare: () => {
            round += 1
            const script = `cp -r /in /copy; echo ${round} > /mark`
            const name = `bench-commit${round}`
            return shell(
              `${line(engine, `${write} --name ${name} bench sh -c '${script}'`)} && sync`,
            )
          },
          run: () => shell(line(engine, `commit bench-commit${round} bench-committed${round}`)),
        }
      }),
      untar(folder, () => `${folder}/load0.layer.copy`),
    ],
    runs,
    PAUSE_MS,
  )
}

function each(
  engines: readonly Engine[],
  body: (engine: Engine, round: number) => string,
): Contender[] {
  return engines.map((engine) => ({
    engine: engine.name,
    prepare: () => shell('sync'),
    run: (round) => shell(body(engine, round)),
  }))
}

/** Into a new directory each time. */
function untar(folder: string, archive: (round: number) => string): Contender {
  let target = ''
  return {
    engine: 'tar -xf',
    prepare: () => {
      target = mkdtempSync(join(folder, 'untar-'))
      return shell('sync')
    },
    run: (round) => shell(`tar -C ${target} -xf ${archive(round)}`),
  }
}
