/** Measures this engine beside its peers, interleaved. README.md says how and what. */
import { writeFileSync } from 'node:fs'
import { driver } from './client.ts'
import { compile } from './compile.ts'
import type { Context } from './context.ts'
import { CpuGroup } from './cpu-group.ts'
import {
  type Engine,
  has,
  makeBundle,
  makeRootfs,
  removeContainers,
  removeFolder,
  startCtr,
  startDocker,
  startPodman,
  workFolder,
} from './engines.ts'
import type { Row } from './measure.ts'
import { type Options, readOptions } from './options.ts'
import { apiExecSuite, apiSuite } from './suites/api.ts'
import { callsSuite } from './suites/calls.ts'
import { idleSuite } from './suites/idle.ts'
import { imagesSuite } from './suites/images.ts'
import { insideSuite } from './suites/inside.ts'
import { logsSuite } from './suites/logs.ts'
import { execSuite, runSuite, versionSuite } from './suites/run.ts'
import { stopSuite } from './suites/stop.ts'

const options = optionsOrExit()

function optionsOrExit(): Options {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`)
    process.exit(2)
  }
}

function print(rows: readonly Row[]): void {
  const groups = Map.groupBy(rows, (row) => row.what)
  for (const [what, group] of groups) {
    const ours = group.find((row) => row.engine === 'ctr')
    console.log(`\n${what}`)
    for (const row of group) {
      const ratio =
        ours === undefined || row === ours ? '' : `${(row.median / ours.median).toFixed(2)}× ctr`
      console.log(
        `  ${row.engine.padEnd(12)} ${row.median.toFixed(2).padStart(10)} ${row.unit.padEnd(8)} ${`(${row.min.toFixed(2)}–${row.max.toFixed(2)}, n=${row.runs})`.padEnd(28)} ${ratio}`,
      )
    }
  }
}

// The bare runtimes and the clients have the same share of the machine as the engines.
const group = new CpuGroup('bench')
group.enter()
const folder = workFolder()
const rootfs = makeRootfs(folder)
const { engines: wanted, suites } = options
const engines: Engine[] = []
let cleaning: Promise<void> | undefined
// A second one, as timeout(1) sends, finds the cleaning under way.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void cleanUp().finally(() => process.exit(1)))
}
try {
  if (wanted.includes('ctr')) engines.push(await startCtr(folder))
  if (wanted.includes('docker') && has('dockerd')) engines.push(await startDocker(folder))
  if (wanted.includes('podman') && has('podman')) engines.push(await startPodman(folder))
  const context: Context = {
    engines,
    runtimes: ['runc', 'crun'].filter(has),
    folder,
    rootfs,
    bundle: has('runc') ? makeBundle(folder, rootfs) : '',
    floor: compile('floor', folder),
    launcher: compile('launch', folder),
    drive: driver(compile('client', folder)),
    runs: options.runs,
  }
  const rows: Row[] = []
  const suite = async (name: string, body: () => Promise<Row[]>): Promise<void> => {
    if (!suites.includes(name)) return
    const found = await body()
    print(found)
    rows.push(...found)
  }
  await suite('run', () => runSuite(context))
  await suite('version', () => versionSuite(context))
  await suite('exec', () => execSuite(context))
  await suite('exec', () => apiExecSuite(context))
  await suite('api', () => apiSuite(context))
  await suite('calls', () => callsSuite(context))
  await suite('stop', () => stopSuite(context))
  await suite('logs', () => logsSuite(context))
  await suite('images', () => imagesSuite(context))
  await suite('inside', () => insideSuite(context))
  await suite('idle', () => idleSuite(context, options.idle))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`)
} finally {
  await cleanUp()
}

/** Once, from the end or from a signal: a suite that fails leaves its containers. */
async function cleanUp(): Promise<void> {
  cleaning ??= (async () => {
    for (const engine of engines) {
      removeContainers(engine)
      await engine.stop()
    }
    removeFolder(folder)
    group.leave()
    group.remove()
  })()
  return cleaning
}
