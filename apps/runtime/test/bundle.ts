import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { readCgroupLayout } from '@ctr/linux'
import type { RuntimeSpec } from '@ctr/oci'
import { findCriu } from '@ctr/shim/criu'
import { defaultConfig } from '../src/default-config.ts'

/** As in the test kit: factor for all that tests wait, for an emulated machine. */
export const SLOW: number = Math.max(1, Number(process.env['CTR_TEST_SLOW']) || 1)
/** What hangs ends, what is slow does not. */
export const SUITE_MS: number = 300_000 * SLOW

const APP = join(import.meta.dirname, '..')
export const RUNTIME: string = join(APP, '../../bin/ctr-runtime')

/** The executable is what callers get, so it is what is tested: built again when the source is newer. */
export function buildRuntime(): void {
  const builtAt = existsSync(RUNTIME) ? statSync(RUNTIME).mtimeMs : 0
  const sources = globSync([
    `${APP}/src/**/*.ts`,
    `${APP}/build.*`,
    `${APP}/../../packages/{shim,linux,oci,errdefs}/src/**/*.ts`,
  ])
  if (sources.some((file) => statSync(file).mtimeMs > builtAt)) {
    execFileSync('sh', [join(APP, 'build.sh')], { stdio: 'pipe' })
  }
}

/** As findTestCriu() of the test kit, on which the runtime does not depend. */
export async function testCriu(): Promise<string | undefined> {
  const fetched = join(APP, '../../.build/criu/criu')
  const asked = process.env['CTR_TEST_CRIU'] ?? ''
  for (const path of asked === '' ? ['criu', fetched] : [asked]) {
    const found = await findCriu(path, 'CTR_TEST_CRIU').catch(() => undefined)
    if (found !== undefined) return found.path
  }
  return undefined
}

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A temporary bundle with busybox, and a runtime root; checks at the end that nothing is left. */
export class TestBundle implements Disposable {
  readonly dir: string
  readonly root: string
  readonly #name: string

  constructor() {
    buildRuntime()
    this.dir = mkdtempSync('/tmp/ctr-runtime-')
    chmodSync(this.dir, 0o711)
    this.root = join(this.dir, 'root')
    this.#name = this.dir.slice(this.dir.lastIndexOf('-') + 1)
    const rootfs = join(this.dir, 'rootfs')
    for (const dir of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc', 'root']) {
      mkdirSync(join(rootfs, dir), { recursive: true })
    }
    copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'))
    const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n')
    for (const applet of applets.filter((name) => name !== '' && name !== 'busybox')) {
      symlinkSync('busybox', join(rootfs, 'bin', applet))
    }
    writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
    this.configure({})
  }

  /** An id that no other test has at the same time. */
  id(name: string): string {
    return `${this.#name}.${name}`
  }

  /** Writes config.json: runc's default, no terminal, writable root, and the changes. */
  configure(
    changes: Partial<RuntimeSpec>,
    process: Partial<NonNullable<RuntimeSpec['process']>> = {},
  ): void {
    const base = defaultConfig({ isRootless: false })
    const spec = {
      ...base,
      root: { path: 'rootfs', readonly: false },
      ...changes,
      process: { ...base.process, terminal: false, args: ['sleep', '1000'], ...process },
    }
    writeFileSync(join(this.dir, 'config.json'), JSON.stringify(spec))
  }

  /** Output goes to files: a container that is created keeps its stdio open. */
  async run(...args: string[]): Promise<Result> {
    return await this.runWith({}, ...args)
  }

  async runWith(
    o: { input?: string; env?: Record<string, string>; fds?: readonly number[] },
    ...args: string[]
  ): Promise<Result> {
    const out = join(this.dir, `out-${++count}`)
    const script = `exec "$@" >${out} 2>${out}.err`
    const child = spawn('sh', ['-c', script, 'sh', RUNTIME, '--root', this.root, ...args], {
      cwd: this.dir,
      stdio: ['pipe', 'inherit', 'inherit', ...(o.fds ?? [])],
      env: { ...process.env, ...o.env },
    })
    child.stdin?.on('error', () => undefined) // it need not be read
    child.stdin?.end(o.input ?? '')
    const code = await new Promise<number | null>((resolve) => child.on('exit', resolve))
    return {
      code,
      get stdout() {
        return readFileSync(out, 'utf8')
      },
      get stderr() {
        return readFileSync(`${out}.err`, 'utf8')
      },
    }
  }

  async state(id: string): Promise<{ status: string; pid: number }> {
    return JSON.parse((await this.run('state', id)).stdout) as { status: string; pid: number }
  }

  /** Cgroup directories of this test's containers. */
  cgroups(): string[] {
    return readCgroupLayout().hierarchies.flatMap(({ mountpoint }) => {
      const parent = join(mountpoint, 'ctr-runtime')
      if (!existsSync(parent)) return []
      return readdirSync(parent)
        .filter((name) => name.startsWith(`${this.#name}.`))
        .map((name) => join(parent, name))
    })
  }

  /** Containers known to the root. */
  containers(): string[] {
    if (!existsSync(this.root)) return []
    return readdirSync(this.root).filter((name) => !name.startsWith('.'))
  }

  [Symbol.dispose](): void {
    for (const id of this.containers()) {
      execFileSync(RUNTIME, ['--root', this.root, 'delete', '--force', id], { stdio: 'pipe' })
    }
    const left = this.cgroups()
    rmSync(this.dir, { recursive: true, force: true })
    if (left.length > 0) throw new Error(`cgroups left behind: ${left.join(' ')}`)
  }
}

let count = 0

/** Polls until `probe` answers something true; for what no event tells. */
export async function until<T>(probe: () => T | Promise<T>, what: string): Promise<T> {
  const deadline = Date.now() + 30_000 * SLOW
  for (;;) {
    const value = await probe()
    if (value) return value
    if (Date.now() > deadline) throw new Error(`not within 30 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The text of an error line on stderr. */
export function message(result: Result): string {
  return JSON.parse(/ msg=(".*")$/m.exec(result.stderr)?.[1] ?? '""') as string
}
