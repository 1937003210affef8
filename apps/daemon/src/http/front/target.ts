import { withoutVersion } from '../path.ts'
import type { AnyRoute } from '../route.ts'

/** What a URL of a frequent route says. */
export interface Target {
  readonly route: AnyRoute
  /** `1.44`, or undefined without a prefix. */
  readonly version: string | undefined
  readonly id: string
  readonly query: Readonly<Record<string, string | string[]>>
}

export type FrequentRoutes = ReadonlyMap<string, AnyRoute>

/** Names and ids as they are: nothing to decode. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
const PLAIN_QUERY = /^[A-Za-z0-9_.=&,:/-]*$/

export function frequentRoutes(routes: readonly AnyRoute[]): FrequentRoutes {
  const frequent = routes.filter((route) => route.isFrequent === true)
  return new Map(frequent.map((route) => [`${route.method} ${route.path}`, route]))
}

/** Undefined: not one of them, or written in a way that the router has to read. */
export function findTarget(
  routes: FrequentRoutes,
  method: string,
  url: string,
): Target | undefined {
  const queryAt = url.indexOf('?')
  const text = queryAt === -1 ? '' : url.slice(queryAt + 1)
  if (!PLAIN_QUERY.test(text)) return undefined
  const { version, rest } = withoutVersion(queryAt === -1 ? url : url.slice(0, queryAt))
  const named = routes.get(`${method} ${rest}`)
  // `/containers/:id/json` as it stands there names a container `:id`.
  if (named?.path.includes(':') === false) {
    return { route: named, version, id: '', query: readQuery(text) }
  }
  const [, resource = '', id = '', ...verbs] = rest.split('/')
  if (verbs.length > 1 || !NAME.test(id)) return undefined
  const verb = verbs.length === 0 ? '' : `/${verbs[0]}`
  const route = routes.get(`${method} /${resource}/:id${verb}`)
  return route === undefined ? undefined : { route, version, id, query: readQuery(text) }
}

function readQuery(text: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null)
  if (text === '') return query
  for (const pair of text.split('&')) {
    const at = pair.indexOf('=')
    const name = at === -1 ? pair : pair.slice(0, at)
    const value = at === -1 ? '' : pair.slice(at + 1)
    const before = query[name]
    query[name] = before === undefined ? value : [...[before].flat(), value]
  }
  return query
}
