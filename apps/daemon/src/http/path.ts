/** Last path segments per resource: what follows a name that may itself hold slashes (`localhost:5000/a/b`). */
const VERBS: Readonly<Record<string, readonly string[]>> = {
  containers: [
    'archive',
    'attach',
    'attach/ws',
    'changes',
    'checkpoint',
    'checkpoints',
    'exec',
    'exec/run',
    'export',
    'json',
    'kill',
    'logs',
    'pause',
    'rename',
    'resize',
    'restart',
    'start',
    'stats',
    'stop',
    'top',
    'unpause',
    'update',
    'wait',
  ],
  distribution: ['json'],
  exec: ['attach', 'json', 'keep', 'kill', 'resize', 'start', 'wait'],
  images: ['get', 'history', 'json', 'push', 'tag'],
  networks: ['connect', 'disconnect'],
  volumes: [],
}

const VERSION_PREFIX = /^\/v([0-9][0-9.]*)(?=\/)/

export interface ApiPath {
  /** `1.44`, or undefined without a prefix. */
  readonly version: string | undefined
  /** Without the prefix; slashes inside a name are escaped, so that a router sees one segment. */
  readonly url: string
}

export function withoutVersion(url: string): { version: string | undefined; rest: string } {
  const prefix = VERSION_PREFIX.exec(url)
  return { version: prefix?.[1], rest: prefix === null ? url : url.slice(prefix[0].length) }
}

/** Takes a request's path apart the way Docker's router does (`/images/{name:.*}/json`). */
export function parsePath(url: string): ApiPath {
  const { version, rest } = withoutVersion(url)
  return { version, url: escapeName(rest) }
}

/** What may follow the name of such a resource, in one segment. */
export function isVerb(resource: string, segment: string): boolean {
  return Object.hasOwn(VERBS, resource) && VERBS[resource]?.includes(segment) === true
}

function verbOf(verbs: readonly string[], rest: string): string | undefined {
  return verbs
    .filter((candidate) => rest.endsWith(`/${candidate}`))
    .sort((a, b) => b.length - a.length)[0]
}

/** `/containers/{name}/checkpoints/{checkpoint}`: the last segment is a name, too. */
function checkpointOf(resource: string, segments: readonly string[]): string | undefined {
  const isOne =
    resource === 'containers' && segments.length > 2 && segments.at(-2) === 'checkpoints'
  return isOne ? segments.slice(-2).join('/') : undefined
}

function escapeName(url: string): string {
  const queryAt = url.indexOf('?')
  const path = queryAt === -1 ? url : url.slice(0, queryAt)
  const [, resource = '', ...segments] = path.split('/')
  // moby registers it with and without: api/server/router/network/network.go
  if (path === '/networks/') return `/networks${queryAt === -1 ? '' : url.slice(queryAt)}`
  const verbs = Object.hasOwn(VERBS, resource) ? VERBS[resource] : undefined
  if (verbs === undefined || segments.length < 2) return url
  // Nearly every path: one segment for the name, one for the verb.
  if (segments.length === 2 && verbs.includes(segments[1] ?? '')) return url
  const rest = segments.join('/')
  const verb = checkpointOf(resource, segments) ?? verbOf(verbs, rest)
  const name = verb === undefined ? rest : rest.slice(0, -verb.length - 1)
  const tail = verb === undefined ? '' : `/${verb}`
  return `/${resource}/${name.replaceAll('/', '%2F')}${tail}${queryAt === -1 ? '' : url.slice(queryAt)}`
}
