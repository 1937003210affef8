import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ApiRequestOptions, ApiResponse } from './api.ts'
import { apiRequest } from './api.ts'
import { freeSubnetPrefix } from './free-subnet.ts'
import { busyboxArchive } from './image.ts'
import type { LeakMarks } from './leaks.ts'
import { cgroupDirectories, findLeaks } from './leaks.ts'
import { cli, ctrd } from './programs.ts'
import type { RunOptions, RunResult } from './run.ts'
import { cleanEnvironment, run } from './run.ts'
import type { SessionOptions } from './session.ts'
import { Session } from './session.ts'
import type { DaemonOptions, TestDaemon } from './test-daemon.ts'
import { waitFor } from './wait-for.ts'

/**
 * With `CTR_TEST_ENGINE=dockerd` in the environment the same tests run on a dockerd and Docker's CLI, which shows whether a
 * test asks for what Docker does. Without a bridge, and what dockerd leaves on the host is not looked at.
 * `CTR_TEST_CLIENT=ctr` keeps ctr as the client.
 *
 * A ctrd of one's own: directories, socket, bridge, subnet, cgroup. Disposal removes all of it and throws if anything is
 * left on the host.
 */
export async function startDaemon(options: DaemonOptions = {}): Promise<TestDaemon> {
  const daemon = new DaemonProcess(options)
  try {
    await daemon.start()
    await daemon.hasDefaultImage()
  } catch (error) {
    await daemon.discard()
    throw error
  }
  return daemon
}

class DaemonProcess implements TestDaemon {
  readonly root: string
  readonly bridge: string
  readonly cgroup: string
  readonly subnetPrefix: string
  readonly #options: DaemonOptions
  readonly #mark: string
  readonly #isReference: boolean
  #child: ChildProcess | undefined

  constructor(options: DaemonOptions) {
    this.#options = options
    this.#isReference = (options.engine ?? process.env['CTR_TEST_ENGINE']) === 'dockerd'
    // Short, because a socket's path has at most 107 bytes and a bridge's name 15. unix(7), if.h IFNAMSIZ
    this.root = mkdtempSync('/tmp/ctr-t-')
    const tag = randomBytes(4).toString('hex')
    this.bridge = `ctt${tag}`
    this.cgroup = `ctt${tag}`
    this.#mark = tag
    this.subnetPrefix = freeSubnetPrefix()
    mkdirSync(join(this.root, 'home'))
  }

  get socketPath(): string {
    return join(this.root, 'ctr.sock')
  }
  get dataRoot(): string {
    return join(this.root, 'data')
  }
  get execRoot(): string {
    return join(this.root, 'run')
  }
  get pid(): number {
    return this.#child?.pid ?? 0
  }
  get isRunning(): boolean {
    return this.#child !== undefined && isAlive(this.#child)
  }
  get log(): string {
    const path = join(this.root, 'ctrd.log')
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }
  get cli(): readonly string[] {
    return this.#isReference && process.env['CTR_TEST_CLIENT'] !== 'ctr' ? ['docker'] : cli()
  }
  get clientEnvironment(): Record<string, string> {
    const host = `unix://${this.socketPath}`
    return { HOME: join(this.root, 'home'), CTR_HOST: host, DOCKER_HOST: host }
  }

  async start(): Promise<void> {
    const { umask, env = {}, isIsolated = false } = this.#options
    const argv = this.#isReference
      ? ['dockerd', '--storage-driver', 'overlay2', ...this.#arguments()]
      : [...ctrd(), ...this.#arguments()]
    const script = [
      ...(umask === undefined ? [] : [`umask ${umask}`]),
      ...(isIsolated ? ['ip link set lo up'] : []),
      'exec "$@"',
    ].join('; ')
    const [file = '', ...args] = [
      ...(isIsolated ? ['unshare', '--net'] : []),
      'sh',
      '-c',
      script,
      'sh',
      ...argv,
    ]
    const output = openSync(join(this.root, 'ctrd.log'), 'a')
    const child = spawn(file, args, {
      cwd: '/',
      env: { ...cleanEnvironment(), CTR_TEST_DAEMON: this.#mark, ...env },
      stdio: ['ignore', output, output],
      detached: true,
    })
    closeSync(output)
    this.#child = child
    let failure: Error | undefined
    child.on('error', (error) => {
      failure = error
    })
    await waitFor('ctrd to answer', async () => {
      if (failure !== undefined) throw failure
      if (!isAlive(child)) {
        throw new Error(
          `ctrd ended with ${child.exitCode ?? child.signalCode}:\n${this.log.slice(-3000)}`,
        )
      }
      const ping = await apiRequest(this.socketPath, 'GET', '/_ping').catch(() => undefined)
      return ping?.status === 200
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.log.slice(-3000)}`)
    })
  }

  /** dockerd has no image of its own to begin with; ctrd has one when it answers for the first time. */
  async hasDefaultImage(): Promise<void> {
    if (this.#isReference) await this.ok(['load'], { input: busyboxArchive('busybox:latest') })
    const { status } = await this.request('GET', '/images/busybox:latest/json')
    if (status !== 200) throw new Error(`no default image\n${this.log.slice(-3000)}`)
  }

  #arguments(): string[] {
    const { bridge = true, isIsolated = false } = this.#options
    const network = this.#networkArguments(bridge, isIsolated)
    return [
      '-H',
      `unix://${this.socketPath}`,
      '--data-root',
      this.dataRoot,
      '--exec-root',
      this.execRoot,
      '--pidfile',
      join(this.root, 'ctrd.pid'),
      '--cgroup-parent',
      `/${this.cgroup}`,
      ...network,
      ...(this.#options.args ?? []),
    ]
  }

  /** dockerd may touch the network only where nobody else lives; its default bridge cannot be made by `--bridge NAME`. */
  #networkArguments(hasBridge: boolean, isIsolated: boolean): string[] {
    if (!hasBridge || (this.#isReference && !isIsolated)) return ['--bridge', 'none']
    const address = ['--bip', `${this.subnetPrefix}.1/24`]
    return this.#isReference ? address : ['--bridge', this.bridge, ...address]
  }

  async ctr(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return await run([...this.cli, ...args], this.#withEnvironment(options))
  }

  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.ctr(args, options)
    if (code !== 0) throw new Error(`ctr ${args.join(' ')}: exit code ${code}\n${stdout}${stderr}`)
    return stdout.replace(/\n$/, '')
  }

  async docker(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return await run(['docker', ...args], this.#withEnvironment(options))
  }

  session(args: readonly string[], options: SessionOptions = {}): Session {
    return new Session([...this.cli, ...args], this.#withEnvironment(options))
  }

  dockerSession(args: readonly string[], options: SessionOptions = {}): Session {
    return new Session(['docker', ...args], this.#withEnvironment(options))
  }

  #withEnvironment<T extends { readonly env?: Readonly<Record<string, string>> }>(options: T): T {
    return { ...options, env: { ...this.clientEnvironment, ...options.env } }
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    options: ApiRequestOptions = {},
  ): Promise<ApiResponse> {
    return await apiRequest(this.socketPath, method, path, { ...options, body })
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<number> {
    return await this.#end('SIGTERM')
  }

  async restart(): Promise<void> {
    if (this.isRunning) await this.stop()
    await this.start()
  }

  async #end(signal: NodeJS.Signals): Promise<number> {
    const child = this.#child
    if (child === undefined || !isAlive(child)) return child?.exitCode ?? 0
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await waitFor(`ctrd to end after ${signal}`, async () => {
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))])
      return !isAlive(child)
    })
    return child.exitCode ?? 137
  }

  async leaks(): Promise<string[]> {
    return await findLeaks(this.#marks())
  }

  #marks(): LeakMarks {
    return {
      root: this.root,
      cgroup: this.cgroup,
      bridge: this.bridge,
      environment: `CTR_TEST_DAEMON=${this.#mark}`,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.isRunning) await this.start()
      await this.#removeContainers()
      const code = await this.stop()
      if (code !== 0)
        throw new Error(`ctrd ended with ${code} after SIGTERM:\n${this.log.slice(-3000)}`)
      if (this.#isReference) return
      this.#removeParentCgroups()
      // The kernel takes a network namespace and its devices down some time after the last process has gone.
      let left: string[] = []
      await waitFor('a clean host', async () => {
        left = await this.leaks()
        return left.length === 0
      }).catch(() => {
        throw new Error(`left behind on the host:\n  ${left.join('\n  ')}`)
      })
    } finally {
      await this.discard()
    }
  }

  /** The empty parent stays for the next start of a daemon, as /docker does. One with a container's cgroup in it is a leak. */
  #removeParentCgroups(): void {
    for (const path of cgroupDirectories(this.cgroup)) {
      try {
        rmdirSync(path)
      } catch {
        // not empty: findLeaks will say so
      }
    }
  }

  async #removeContainers(): Promise<void> {
    const listed = await this.request('GET', '/containers/json?all=1')
    for (const { Id } of listed.json() as { Id: string }[]) {
      const { status, text } = await this.request('DELETE', `/containers/${Id}?force=1&v=1`)
      if (status !== 204 && status !== 404) throw new Error(`remove ${Id}: ${status} ${text}`)
    }
  }

  /** Leave nothing, by force: for a daemon that failed to start or a test that is about to fail anyway. */
  async discard(): Promise<void> {
    await this.#end('SIGKILL').catch(() => undefined)
    for (const line of await this.leaks()) {
      const pid = /^process (\d+) /.exec(line)?.[1]
      if (pid !== undefined) killIfThere(Number(pid))
      const device = /^network device (\S+)/.exec(line)?.[1]
      if (device !== undefined) await run(['ip', 'link', 'delete', device]).catch(() => undefined)
      const table = /^nft table (\S+ \S+)/.exec(line)?.[1]
      if (table !== undefined) {
        await run(['nft', 'delete', 'table', ...table.split(' ')]).catch(() => undefined)
      }
      const mountPoint = /^mount \S+ \S+ \S+ \S+ (\S+)/.exec(line)?.[1]
      if (mountPoint !== undefined) await run(['umount', '-l', mountPoint]).catch(() => undefined)
    }
    for (const line of await this.leaks()) {
      const cgroup = /^cgroup (\S+)/.exec(line)?.[1]
      if (cgroup !== undefined) {
        await run(['find', cgroup, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']).catch(
          () => undefined,
        )
      }
    }
    rmSync(this.root, { recursive: true, force: true })
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has gone meanwhile
  }
}
