import { mkdirSync, writeFileSync } from 'node:fs'
import type { DaemonOptions, RunResult, TestDaemon } from '@ctr/testkit'
import { busyboxArchive, requires, run, startDaemon } from '@ctr/testkit'
import { type LaneTexts, normalise } from './normalise.ts'

/** Major versions of dockerd that ctrd is compared with, and the newest API that each speaks. */
const API_VERSIONS = { 20: '1.41', 28: '1.50' } as const
export type ReferenceVersion = keyof typeof API_VERSIONS

/**
 * Of the dockerd here. All lanes speak its API, so that a difference is not one of versions. known-differences.ts is about 20.10:
 * with `CTR_TEST_REFERENCE=28` in the environment a dockerd 28 is taken, too, and what fails is to be read.
 */
export const reference = await findReference()

/** One engine and one client, with the same containers, volumes and files as every other lane. */
export class Lane implements AsyncDisposable {
  readonly daemon: TestDaemon
  readonly workDirectory: string
  readonly #client: readonly string[]

  private constructor(daemon: TestDaemon, client: 'docker' | 'ctr') {
    this.daemon = daemon
    this.workDirectory = `${daemon.root}/work`
    this.#client = client === 'docker' ? ['command', 'docker'] : daemon.cli
  }

  static async start(engine: DaemonOptions['engine'], client: 'docker' | 'ctr'): Promise<Lane> {
    const daemon = await startDaemon({ engine: engine ?? 'ctrd', isIsolated: true })
    const lane = new Lane(daemon, client)
    try {
      await lane.#prepare()
    } catch (error) {
      await Promise.resolve(daemon[Symbol.asyncDispose]()).catch(() => undefined)
      throw error
    }
    return lane
  }

  /** All at once; none is left if one fails. */
  static async startAll(
    wanted: readonly (readonly [DaemonOptions['engine'], 'docker' | 'ctr'])[],
  ): Promise<Lane[]> {
    const outcomes = await Promise.allSettled(wanted.map(async (each) => await Lane.start(...each)))
    const lanes = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value : [],
    )
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed === undefined) return lanes
    await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()))
    throw failed.reason
  }

  get texts(): LaneTexts {
    const { root, subnetPrefix } = this.daemon
    return { root, workDirectory: this.workDirectory, subnetPrefix }
  }

  /** The client, as a word list for a shell. */
  get clientCommand(): string {
    return this.#client.filter((word) => word !== 'command').join(' ')
  }

  /** A line of shell in which `docker` is this lane's client. */
  async shell(line: string, timeoutMs = 60_000): Promise<RunResult> {
    const client = this.#client.join(' ')
    return await run(['sh', '-c', `docker() { ${client} "$@"; }; ${line}`], {
      cwd: this.workDirectory,
      env: { ...this.daemon.clientEnvironment, DOCKER_API_VERSION: reference.apiVersion },
      timeoutMs,
    })
  }

  async answer(line: string): Promise<Answer> {
    const { code, stdout, stderr } = await this.shell(line)
    return { code, stdout: normalise(stdout, this.texts), stderr: normalise(stderr, this.texts) }
  }

  async #prepare(): Promise<void> {
    const archive = busyboxArchive('busybox:latest')
    mkdirSync(`${this.workDirectory}/bb/etc`, { recursive: true })
    writeFileSync(`${this.workDirectory}/bb.tar`, archive)
    writeFileSync(`${this.workDirectory}/bb/etc/hosts`, '127.0.0.1 localhost\n')
    writeFileSync(`${this.workDirectory}/notes.txt`, 'not an archive\n')
    writeFileSync(`${this.workDirectory}/variables`, '# comment\nA=1\n\nHOME\n B=2\n')
    for (const line of [
      // The image that a ctrd makes for itself goes, so that all have the same one.
      'docker rmi busybox; docker load -q -i bb.tar',
      'docker run -d --name ref1 --network none -l a=b -v vol1:/data busybox sleep 1000',
    ]) {
      const { code, stderr } = await this.shell(line)
      if (code !== 0) throw new Error(`${line}: ${code} ${stderr}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]()
  }
}

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The reason why there is no dockerd to compare with. */
export function reasonNoReference(): string | false {
  if (!reference.isKnown) return `needs dockerd 20 (or CTR_TEST_REFERENCE=28 and dockerd 28)`
  return requires({ commands: ['dockerd', 'iptables'] })
}

async function findReference(): Promise<{
  readonly version: ReferenceVersion
  readonly apiVersion: string
  readonly isKnown: boolean
}> {
  const found = Number(await majorVersion('dockerd'))
  const version = found === 28 ? 28 : 20
  const isWanted = version === 20 || process.env['CTR_TEST_REFERENCE'] === '28'
  return { version, apiVersion: API_VERSIONS[version], isKnown: version === found && isWanted }
}

/** The reason to skip unless the program's major version is this. */
export async function notVersion(program: string, major: number): Promise<string | false> {
  const found = await majorVersion(program)
  return found === String(major) ? false : `needs ${program} ${major}, found ${found ?? 'none'}`
}

async function majorVersion(program: string): Promise<string | undefined> {
  const { stdout } = await run([program, '--version']).catch(() => ({ stdout: '' }))
  return /version (\d+)\./.exec(stdout)?.[1]
}
