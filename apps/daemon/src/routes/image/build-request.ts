import { AuthConfig, decode, type HostConfig, type Schema, Type, Ulimit } from '@ctr/api'
import type { BuildRequest } from '@ctr/build'
import { EngineError, invalid } from '@ctr/errdefs'
import { parseReference } from '@ctr/oci'
import { isTrue, type QueryOf } from '../../http/query.ts'

export const BUILD_QUERY = {
  dockerfile: 'string',
  t: 'strings',
  remote: 'string',
  q: 'boolean',
  nocache: 'boolean',
  cachefrom: 'string',
  pull: 'boolean',
  rm: 'string',
  forcerm: 'boolean',
  buildargs: 'string',
  labels: 'string',
  target: 'string',
  platform: 'string',
  networkmode: 'string',
  extrahosts: 'string',
  memory: 'integer',
  memswap: 'integer',
  cpushares: 'integer',
  cpusetcpus: 'string',
  cpusetmems: 'string',
  cpuperiod: 'integer',
  cpuquota: 'integer',
  shmsize: 'integer',
  ulimits: 'string',
  cgroupparent: 'string',
  squash: 'boolean',
  outputs: 'string',
  version: 'string',
} as const

type BuildQuery = QueryOf<typeof BUILD_QUERY>

/** What the query and `X-Registry-Config` ask for. INVALID_ARGUMENT, NOT_IMPLEMENTED. */
export function readBuildRequest(
  query: BuildQuery,
  registryConfig: string | string[] | undefined,
  signal: AbortSignal,
): BuildRequest {
  assertClassic(query)
  const args = readJson(query.buildargs, 'build args', Type.PointerMap(Type.String()))
  const auths = readRegistryConfig(registryConfig)
  return {
    tags: [...new Set(query.t.filter((tag) => tag !== '').map(checkTag))],
    dockerfile: query.dockerfile ?? 'Dockerfile',
    target: query.target ?? '',
    platform: query.platform ?? '',
    args: new Map(
      // Null: the client has no value for it.
      Object.entries<string | null>(args).flatMap(([key, value]) =>
        value === null ? [] : [[key, value]],
      ),
    ),
    labels: readJson(query.labels, 'labels', Type.Map(Type.String())),
    isUncached: query.nocache,
    cacheFrom: readJson(query.cachefrom, 'cache from', Type.Array(Type.String()), []),
    pulls: query.pull,
    removes: query.rm === undefined || isTrue(query.rm),
    removesAlways: query.forcerm,
    hostConfig: hostConfigOf(query),
    auth: (registry) =>
      auths[registry] ?? (registry === 'docker.io' ? dockerHub(auths) : undefined),
    signal,
  }
}

/** A client that wants BuildKit's builder would not understand the answers of this one. */
function assertClassic({ version = '1', squash, outputs }: BuildQuery): void {
  if (version === '2') {
    throw new EngineError(
      'NOT_IMPLEMENTED',
      'there is no BuildKit here: build with DOCKER_BUILDKIT=0, or with ctr build',
    )
  }
  if (version !== '1') throw invalid(`invalid version ${version}`)
  if (squash) throw invalid('squash is only supported with experimental mode')
  if (outputs !== undefined && outputs !== '[]' && outputs !== 'null') {
    throw new EngineError('NOT_IMPLEMENTED', 'outputs need BuildKit, which is not here')
  }
}

function checkTag(tag: string): string {
  let digest: string | undefined
  try {
    digest = parseReference(tag).digest
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', (cause as Error).message, { cause })
  }
  if (digest !== undefined) throw invalid('build tag cannot contain a digest')
  return tag
}

function hostConfigOf(query: BuildQuery): HostConfig {
  const { networkmode, cgroupparent, extrahosts = '' } = query
  const ulimits = readJson(query.ulimits, 'ulimit settings', Type.Array(Ulimit), [])
  const numbers = {
    Memory: query.memory,
    MemorySwap: query.memswap,
    CpuShares: query.cpushares,
    CpuPeriod: query.cpuperiod,
    CpuQuota: query.cpuquota,
    ShmSize: query.shmsize,
    CpusetCpus: query.cpusetcpus,
    CpusetMems: query.cpusetmems,
    NetworkMode: networkmode,
    CgroupParent: cgroupparent,
  }
  const set = Object.entries(numbers).filter(([, value]) => value !== undefined && value !== 0)
  return {
    ...Object.fromEntries(set),
    ...(ulimits.length === 0 ? {} : { Ulimits: [...ulimits] }),
    ...(extrahosts === '' ? {} : { ExtraHosts: extrahosts.split(',') }),
  }
}

function readJson<T>(
  text: string | undefined,
  what: string,
  schema: Schema<T>,
  absent: T = {} as T,
): T {
  if (text === undefined) return absent
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    const reason = (cause as Error).message
    throw new EngineError('INVALID_ARGUMENT', `error reading ${what}: ${reason}`, { cause })
  }
  return document === null ? absent : decode(schema, document)
}

/** base64url of JSON: credentials by registry. */
function readRegistryConfig(
  header: string | string[] | undefined,
): Readonly<Record<string, AuthConfig>> {
  const text = Array.isArray(header) ? header[0] : header
  if (text === undefined || text === '') return {}
  let document: unknown
  try {
    document = JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch (cause) {
    const reason = 'X-Registry-Config is not base64 of a JSON document'
    throw new EngineError('INVALID_ARGUMENT', reason, { cause })
  }
  const auths = decode(Type.Map(AuthConfig), document ?? {})
  return Object.fromEntries(Object.entries(auths).map(([address, auth]) => [hostOf(address), auth]))
}

/** Clients name registries by their host, or by an old URL. */
function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
}

function dockerHub(auths: Readonly<Record<string, AuthConfig>>): AuthConfig | undefined {
  return auths['index.docker.io'] ?? auths['registry-1.docker.io']
}
