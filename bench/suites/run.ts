import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import type { Engine } from '../engines.ts'
import { type Contender, interleave, pause, type Row } from '../measure.ts'
import { timed } from '../shell.ts'

/** `run --rm busybox true` from the shell's point of view; the bare runtimes and the kernel's floor beside it. */
export async function runSuite(context: Context): Promise<Row[]> {
  const rows: Row[] = []
  const bare: Contender[] = []
  for (const runtime of context.runtimes) {
    const contender: Contender = {
      engine: runtime,
      run: async (i) => {
        const root = join(context.folder, `${runtime}-root`)
        const args = ['--root', root, 'run', '-b', context.bundle, `b${i + 1}`]
        return timed(context.launcher, [runtime, ...args])
      },
    }
    try {
      await contender.run(-2)
      bare.push(contender)
    } catch (error) {
      console.log(`${runtime} is left out: ${String(error).split('\n')[1]}`)
    }
  }
  const work = join(context.folder, 'floor')
  mkdirSync(work, { recursive: true })
  bare.push({
    engine: 'floor',
    run: () => timed(context.launcher, [context.floor, context.rootfs, work, '1']),
  })
  await warmUp(context)
  for (const network of NETWORKS) {
    const contenders = context.engines.map((engine) => ({
      engine: engine.name,
      run: async () => {
        const before = engine.cpu.usedMs()
        const ms = await timed(context.launcher, runCommand(engine, network))
        await pause(SETTLE_MS)
        return { ms, cpuMs: engine.cpu.usedMs() - before }
      },
    }))
    const what = `run --rm true, network ${network}`
    rows.push(...(await interleave('run', what, [...contenders, ...bare], context.runs)))
  }
  return rows
}

const NETWORKS = ['none', 'bridge'] as const
/** What an engine leaves for later counts, as in client.c. */
const SETTLE_MS = 50
/** A daemon that has just started compiles its code on the way: its first dozen runs cost twice what later ones do. */
const WARM_UP_RUNS = 12

/** Else what is measured first would pay for it. */
async function warmUp(context: Context): Promise<void> {
  for (const engine of context.engines) {
    for (let i = 0; i < WARM_UP_RUNS; i++) {
      const network = NETWORKS[i % NETWORKS.length] ?? 'none'
      await timed(context.launcher, runCommand(engine, network))
    }
  }
}

function runCommand(engine: Engine, network: (typeof NETWORKS)[number]): string[] {
  const isolated = network === 'none' ? ['--network', 'none'] : []
  return [...engine.cli, 'run', '--rm', ...engine.runFlags, ...isolated, 'bench', 'true']
}

export async function versionSuite(context: Context): Promise<Row[]> {
  const contenders = context.engines.map((engine) => ({
    engine: engine.name,
    run: () => timed(context.launcher, [...engine.cli, 'version']),
  }))
  return interleave('cli', 'version', contenders, context.runs, 5)
}

export async function execSuite(context: Context): Promise<Row[]> {
  const contenders: Contender[] = []
  const stops: (() => void)[] = []
  for (const engine of context.engines) {
    const cli = (...args: string[]): void => {
      spawnSync(engine.cli[0] ?? '', [...engine.cli.slice(1), ...args])
    }
    cli(
      'run',
      '-d',
      ...engine.runFlags,
      '--name',
      'bench-exec',
      '--network',
      'none',
      'bench',
      'sleep',
      '1000',
    )
    stops.push(() => cli('rm', '-f', 'bench-exec'))
    contenders.push({
      engine: engine.name,
      run: () => timed(context.launcher, [...engine.cli, 'exec', 'bench-exec', 'true']),
    })
  }
  try {
    return await interleave('exec', 'exec true (CLI)', contenders, context.runs, 10)
  } finally {
    for (const stop of stops) stop()
  }
}
