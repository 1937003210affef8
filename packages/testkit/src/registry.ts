import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { freePort } from './free-port.ts'
import { cleanEnvironment } from './run.ts'
import { waitFor } from './wait-for.ts'

export interface RegistryOptions {
  /** A line of htpasswd(1) with a bcrypt hash; absent: no authentication. */
  readonly htpasswd?: string
  /** Not the one that `CTR_TEST_REGISTRY` names: with fixed repository names, or to be counted. */
  readonly own?: boolean
}

export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`, to be put before a repository's name. */
  readonly address: string
}

/** So long one start may take; another one has another port. */
const START_MS = 30_000
const STARTS = 3
const PROBE_MS = 2000

/**
 * A real registry (Debian's docker-registry) on a free loopback port, with its storage in a directory of its own; or the
 * one that `CTR_TEST_REGISTRY` names (docker-compose.test.yml), which tests share: use repository names of your own.
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const provided = process.env['CTR_TEST_REGISTRY']
  if (provided !== undefined && options.htpasswd === undefined && options.own !== true) {
    return { address: provided, [Symbol.asyncDispose]: () => Promise.resolve() }
  }
  const failures: string[] = []
  while (failures.length < STARTS) {
    try {
      return await startOnce(options)
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
      // Between the look for a free port and its use somebody else may have taken it.
      process.stderr.write(`docker-registry: ${failures.at(-1)}\n`)
    }
  }
  throw new Error(`docker-registry does not start:\n${failures.join('\n')}`)
}

async function startOnce({ htpasswd }: RegistryOptions): Promise<TestRegistry> {
  const root = mkdtempSync('/tmp/ctr-reg-')
  const address = `127.0.0.1:${await freePort()}`
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: `${root}/storage` }, delete: { enabled: true } },
    http: { addr: address },
    ...(htpasswd === undefined
      ? {}
      : { auth: { htpasswd: { realm: 'test', path: `${root}/htpasswd` } } }),
  }
  if (htpasswd !== undefined) writeFileSync(`${root}/htpasswd`, `${htpasswd}\n`)
  // JSON is YAML.
  writeFileSync(`${root}/config.yml`, JSON.stringify(config))
  const child = spawn('docker-registry', ['serve', `${root}/config.yml`], {
    cwd: root,
    env: cleanEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const said: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
  child.on('error', (error) => said.push(Buffer.from(error.message)))
  const dispose = async (): Promise<void> => {
    await endChild(child)
    rmSync(root, { recursive: true, force: true })
  }
  let refusal = ''
  try {
    await waitFor(
      'an answer',
      async () => {
        if (hasEnded(child)) throw new Error(`ended with ${child.signalCode ?? child.exitCode}`)
        refusal = await probe(address)
        return refusal === ''
      },
      START_MS,
    )
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    const report = `${address}: ${text}; last: ${refusal}; ${processReport(child.pid)}; stderr: ${Buffer.concat(said).toString()}`
    await dispose()
    throw new Error(report)
  }
  return { address, [Symbol.asyncDispose]: dispose }
}

/** Empty when the registry has answered, or why not. */
async function probe(address: string): Promise<string> {
  try {
    await fetch(`http://${address}/v2/`, { signal: AbortSignal.timeout(PROBE_MS) })
    return ''
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error
    return String(cause)
  }
}

/** What it is doing, for who reads of a start that failed. */
function processReport(pid: number | undefined): string {
  try {
    const state = /^State:.*$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[0]
    return `process ${pid}: ${state}, in ${readFileSync(`/proc/${pid}/wchan`, 'utf8')}`
  } catch {
    return `process ${pid}: gone`
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}

async function endChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await ended
}
