import type { ProgressMessage, Ulimit } from '@ctr/api'
import type { Client } from '../client.ts'
import { jsonLines } from '../stream/json-lines.ts'

export interface BuildParameters {
  readonly tags: readonly string[]
  readonly dockerfile?: string | undefined
  readonly target?: string | undefined
  readonly platform?: string | undefined
  /** Null: known, and without a value. */
  readonly args: Readonly<Record<string, string | null>>
  readonly labels: Readonly<Record<string, string>>
  readonly cacheFrom: readonly string[]
  readonly isUncached: boolean
  readonly pulls: boolean
  readonly removes: boolean
  readonly removesAlways: boolean
  readonly isQuiet: boolean
  readonly squash: boolean
  readonly network?: string | undefined
  readonly extraHosts: readonly string[]
  readonly cgroupParent?: string | undefined
  readonly ulimits: readonly Ulimit[]
  readonly memory?: number | undefined
  readonly memorySwap?: number | undefined
  readonly shmSize?: number | undefined
  readonly cpuShares?: number | undefined
  readonly cpuPeriod?: number | undefined
  readonly cpuQuota?: number | undefined
  readonly cpusetCpus?: string | undefined
  readonly cpusetMems?: string | undefined
}

/** The context is a tar, or a URL that the daemon fetches. */
export async function* buildImage(
  client: Client,
  options: BuildParameters & {
    readonly remote?: string | undefined
    readonly tar?: AsyncIterable<Uint8Array> | undefined
    /** `X-Registry-Config`: base64url of credentials by registry. */
    readonly registryConfig?: string | undefined
  },
): AsyncGenerator<ProgressMessage, void, undefined> {
  const number = (value: number | undefined): string | undefined => value?.toString()
  const flag = (value: boolean): string | undefined => (value ? '1' : undefined)
  const response = await client.request({
    method: 'POST',
    path: '/build',
    query: {
      t: options.tags,
      remote: options.remote,
      dockerfile: options.dockerfile,
      target: options.target,
      platform: options.platform,
      buildargs: JSON.stringify(options.args),
      labels: JSON.stringify(options.labels),
      cachefrom: JSON.stringify(options.cacheFrom),
      nocache: flag(options.isUncached),
      pull: flag(options.pulls),
      rm: options.removes ? '1' : '0',
      forcerm: flag(options.removesAlways),
      q: flag(options.isQuiet),
      squash: flag(options.squash),
      networkmode: options.network,
      extrahosts: options.extraHosts.length === 0 ? undefined : options.extraHosts.join(','),
      cgroupparent: options.cgroupParent,
      ulimits: options.ulimits.length === 0 ? undefined : JSON.stringify(options.ulimits),
      memory: number(options.memory),
      memswap: number(options.memorySwap),
      shmsize: number(options.shmSize),
      cpushares: number(options.cpuShares),
      cpuperiod: number(options.cpuPeriod),
      cpuquota: number(options.cpuQuota),
      cpusetcpus: options.cpusetCpus,
      cpusetmems: options.cpusetMems,
    },
    headers: {
      'Content-Type': 'application/x-tar',
      ...(options.registryConfig === undefined
        ? {}
        : { 'X-Registry-Config': options.registryConfig }),
    },
    body: options.tar,
  })
  yield* jsonLines<ProgressMessage>(response.body)
}
