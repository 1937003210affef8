import assert from 'node:assert/strict'
import { after, afterEach, before } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { DaemonOptions, RunOptions, RunResult, Session, TestDaemon } from '@ctr/testkit'
import { startDaemon, waitFor } from '@ctr/testkit'

/**
 * One daemon for the tests of a file. Containers are removed after each test; the daemon is disposed at the end, which
 * fails the file if anything is left on the host.
 */
export function useDaemon(
  options: DaemonOptions = {},
  prepare: (daemon: TestDaemon) => Promise<void> = () => Promise.resolve(),
): () => TestDaemon {
  let daemon: TestDaemon | undefined
  const current = (): TestDaemon => {
    assert.ok(daemon !== undefined, 'the daemon has not started')
    return daemon
  }
  before(async () => {
    daemon = await startDaemon(options)
    await prepare(daemon)
  })
  afterEach(async () => {
    if (daemon?.isRunning === true) await removeContainers(daemon)
  })
  after(async () => {
    await daemon?.[Symbol.asyncDispose]()
  })
  return current
}

export async function removeContainers(daemon: TestDaemon): Promise<void> {
  const ids = await daemon.ok(['ps', '--all', '--quiet', '--no-trunc'])
  if (ids !== '') await daemon.ok(['rm', '--force', '--volumes', ...ids.split('\n')])
}

/**
 * Ctrl-P Ctrl-Q on the terminal of a client. Two keys, not one paste: Docker looks for them one by one; and again where a
 * busy machine made one paste of them all the same. Resolves to the client's exit code.
 */
export async function detach(session: Session): Promise<number> {
  return await waitFor('the client to leave', async () => {
    session.write('\x10')
    await delay(100)
    session.write('\x11')
    return await Promise.race([session.exited.then((code) => ({ code })), delay(2000, undefined)])
  }).then(({ code }) => code)
}

/** One row of a table of commands. Strings must be equal, patterns must match; what is absent is not looked at. */
export interface CommandCase {
  /** The behaviour, as a sentence. */
  readonly name: string
  readonly args: readonly string[]
  readonly options?: RunOptions
  readonly code?: number
  readonly stdout?: string | RegExp
  readonly stderr?: string | RegExp
}

export function checkResult(expected: Omit<CommandCase, 'name' | 'args'>, result: RunResult): void {
  const { code = 0, stdout, stderr } = expected
  const said = `stdout: ${result.stdout.slice(0, 2000)}\nstderr: ${result.stderr.slice(0, 2000)}`
  assert.equal(result.code, code, `exit code ${result.code}, expected ${code}\n${said}`)
  checkText('stdout', stdout, result.stdout, said)
  checkText('stderr', stderr, result.stderr, said)
}

function checkText(
  what: string,
  expected: string | RegExp | undefined,
  text: string,
  said: string,
): void {
  if (expected === undefined) return
  if (typeof expected === 'string') assert.equal(text, expected, `${what}\n${said}`)
  else assert.match(text, expected, `${what}\n${said}`)
}

/** `ctr run --rm` of a shell script in busybox; throws unless it exits with 0. */
export async function inBusybox(
  daemon: TestDaemon,
  script: string,
  flags: readonly string[] = [],
): Promise<string> {
  return await daemon.ok(['run', '--rm', ...flags, 'busybox', 'sh', '-c', script])
}

export async function field(daemon: TestDaemon, ref: string, template: string): Promise<string> {
  return await daemon.ok(['inspect', '--format', template, ref])
}

/** Starts a container that sleeps; its id. */
export async function sleeper(
  daemon: TestDaemon,
  name: string,
  ...flags: string[]
): Promise<string> {
  return await daemon.ok(['run', '-d', '--name', name, ...flags, 'busybox', 'sleep', '300'])
}

/** Status and exit code. */
export async function status(daemon: TestDaemon, name: string): Promise<string> {
  return await field(daemon, name, '{{.State.Status}} {{.State.ExitCode}}')
}

export async function pidOf(daemon: TestDaemon, ref: string): Promise<number> {
  const pid = Number(await field(daemon, ref, '{{.State.Pid}}'))
  assert.ok(pid > 0, `${ref} has no pid`)
  return pid
}
