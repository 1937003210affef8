import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoText } from '@ctr/errdefs'
import { type HostFacts, readHostFacts } from '@ctr/linux'
import { CAPABILITIES, type RuntimeHook, type RuntimeHooks, type RuntimeProcess } from '@ctr/oci'
import { compileExec, ShimError } from '@ctr/shim'
import { prepareEnv } from './environment.ts'
import { invalidArgument } from './errors.ts'
import { Launch } from './launch.ts'
import type { Log } from './log.ts'
import type { ContainerRecord } from './record.ts'
import { cachedSeccomp } from './seccomp-cache.ts'
import { type OciState, ociState } from './status.ts'

export type HookKind = keyof RuntimeHooks

/** How much of a hook's output an error quotes. */
const OUTPUT_MAX = 4096

/** Runs hooks of a kind on the host, one after the other, with the state on stdin. The first failure ends it. */
export async function runHostHooks(
  kind: HookKind,
  hooks: RuntimeHooks | undefined,
  state: OciState,
): Promise<void> {
  for (const [index, hook] of (hooks?.[kind] ?? []).entries()) {
    try {
      await runHostHook(hook, JSON.stringify(state), state.bundle)
    } catch (error) {
      throw invalidArgument(`error running ${kind} hook #${index}: ${messageOf(error)}`)
    }
  }
}

function runHostHook(hook: RuntimeHook, input: string, cwd: string): Promise<void> {
  checkHook(hook)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const child = spawn(hook.path, (hook.args ?? []).slice(1), {
    argv0: hook.args?.[0] ?? hook.path,
    cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(hook.env === undefined ? {} : { env: environment(hook.env) }),
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout = (stdout + String(chunk)).slice(0, OUTPUT_MAX)
  })
  child.stderr.on('data', (chunk) => {
    stderr = (stderr + String(chunk)).slice(0, OUTPUT_MAX)
  })
  child.stdin.on('error', () => undefined) // a hook need not read its stdin
  child.stdin.end(input)
  const timer = deadline(hook, () => {
    child.kill('SIGKILL')
    reject(new Error(pastTimeout(hook)))
  })
  child.on('error', (error: NodeJS.ErrnoException) => {
    clearTimeout(timer)
    reject(new Error(`fork/exec ${hook.path}: ${errnoText(error.code ?? error.message)}`))
  })
  child.on('close', (code, signal) => {
    clearTimeout(timer)
    if (code === 0) resolve()
    const how = code === null ? `signal: ${signal}` : `exit status ${code}`
    reject(new Error(`error running hook: ${how}, stdout: ${stdout}, stderr: ${stderr}`))
  })
  return promise
}

/** Where a container hook runs, and as whom. */
export interface ContainerHookPlace {
  readonly root: string
  readonly record: ContainerRecord
  readonly state: OciState
  /** Before the change of root: in the container's namespaces, on the host's files, with all rights. */
  readonly isBeforePivot: boolean
  readonly log: Log
}

/** Runs createContainer or startContainer hooks: each as one more process in the container's namespaces and cgroup. */
export async function runContainerHooks(kind: HookKind, place: ContainerHookPlace): Promise<void> {
  const hooks = place.record.spec.hooks?.[kind] ?? []
  if (hooks.length === 0) return
  const host = readHostFacts()
  for (const [index, hook] of hooks.entries()) {
    try {
      await runContainerHook(hook, place, host)
    } catch (error) {
      throw invalidArgument(`error running ${kind} hook #${index}: ${messageOf(error)}`)
    }
  }
}

async function runContainerHook(
  hook: RuntimeHook,
  place: ContainerHookPlace,
  host: HostFacts,
): Promise<void> {
  checkHook(hook)
  const { record } = place
  const files = join(place.root, record.id, 'hook')
  writeFileSync(`${files}.in`, JSON.stringify(place.state), { mode: 0o600 })
  const input = openSync(`${files}.in`, 'r')
  const output = openSync(`${files}.out`, 'w', 0o600)
  let isLate = false
  let timer: NodeJS.Timeout | undefined
  try {
    const program = compileExec(
      {
        containerId: record.id,
        containerPid: record.pid,
        containerStartTime: BigInt(record.startTime),
        spec: record.spec,
        process: hookProcess(hook, place),
        program: hook.path,
        runtimeDir: '',
        handover: { isForeground: true, preserveFds: 0 },
        stdio: { stdin: true, tty: false, stdinOnce: false, rows: 0, columns: 0 },
        expectAttach: 0,
        // A startContainer hook runs under what the container's process runs under.
        seccompFilter: place.isBeforePivot
          ? undefined
          : cachedSeccomp(place.root, record.spec.linux?.seccomp),
        cgroupParent: '/',
      },
      host,
    )
    const launch = new Launch(program, {
      preserveFds: 0,
      warn: (message) => place.log.write('debug', message),
      stdio: { input, output },
    })
    await launch.next('started').catch((error: unknown) => {
      const reason = error instanceof ShimError ? errnoText(error.code) : messageOf(error)
      throw new Error(`fork/exec ${hook.path}: ${reason}`)
    })
    timer = deadline(hook, () => {
      isLate = true
      launch.signal(9)
    })
    const { status, signal } = await launch.next('exit')
    if (isLate) throw new Error(pastTimeout(hook))
    if (status === 0) return
    const text = readFileSync(`${files}.out`, 'utf8').slice(0, OUTPUT_MAX)
    throw new Error(`error running hook: ${ending(status, signal)}, output: ${text}`)
  } finally {
    clearTimeout(timer)
    closeSync(input)
    closeSync(output)
    rmSync(`${files}.in`, { force: true })
    rmSync(`${files}.out`, { force: true })
  }
}

/** As Go's os.ProcessState says it. */
function ending(status: number, signal: number): string {
  return signal === 0 ? `exit status ${status}` : `signal: ${SIGNAL_TEXTS[signal] ?? signal}`
}

const SIGNAL_TEXTS: Readonly<Record<number, string>> = {
  6: 'aborted',
  9: 'killed',
  11: 'segmentation fault',
  15: 'terminated',
  31: 'bad system call',
}

function hookProcess(hook: RuntimeHook, place: ContainerHookPlace): RuntimeProcess {
  const own = place.record.spec.process
  const all = [...CAPABILITIES]
  return {
    args: hook.args === undefined || hook.args.length === 0 ? [hook.path] : hook.args,
    env: hook.env ?? inheritedEnv(place),
    // runc runs createContainer hooks in the root filesystem.
    cwd: place.isBeforePivot ? place.record.rootfs : '/',
    user: place.isBeforePivot ? { uid: 0, gid: 0 } : (own?.user ?? { uid: 0, gid: 0 }),
    capabilities: place.isBeforePivot
      ? { bounding: all, effective: all, permitted: all, inheritable: [], ambient: [] }
      : own?.capabilities,
    noNewPrivileges: place.isBeforePivot ? false : own?.noNewPrivileges,
  }
}

/** A startContainer hook runs as the container's process would. */
function inheritedEnv({ record, isBeforePivot }: ContainerHookPlace): string[] {
  const own = record.spec.process
  return isBeforePivot || own === undefined ? [] : prepareEnv(own, record.rootfs)
}

/** Failures are warnings: the container is gone whatever the hooks say. */
export async function runPoststopHooks(record: ContainerRecord, log: Log): Promise<void> {
  for (const [index, hook] of (record.spec.hooks?.poststop ?? []).entries()) {
    try {
      await runHostHook(hook, JSON.stringify(ociState(record, 'stopped')), '/')
    } catch (error) {
      log.warn(`error running poststop hook #${index}: ${messageOf(error)}`)
    }
  }
}

function checkHook(hook: RuntimeHook): void {
  if (typeof hook.path !== 'string' || !hook.path.startsWith('/')) {
    throw new Error(`invalid hook path ${JSON.stringify(hook.path)}: it must be absolute`)
  }
}

function deadline(hook: RuntimeHook, late: () => void): NodeJS.Timeout | undefined {
  if (hook.timeout === undefined || hook.timeout === null || hook.timeout <= 0) return undefined
  return setTimeout(late, hook.timeout * 1000)
}

function pastTimeout(hook: RuntimeHook): string {
  return `hook ran past specified timeout of ${(hook.timeout ?? 0).toFixed(1)}s`
}

function environment(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry): [string, string] => {
      const at = entry.indexOf('=')
      return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
