import { isVerb, parsePath } from '../path.ts'
import type { AnyRoute } from '../route.ts'

/** What a URL says. */
export interface Target {
  readonly route: AnyRoute
  /** `1.44`, or undefined without a prefix. */
  readonly version: string | undefined
  readonly id: string
  readonly query: Readonly<Record<string, string | string[]>>
}

export type FrontRoutes = ReadonlyMap<string, AnyRoute>

/** Names, ids and references as they are: nothing to decode. */
const NAME = /^[A-Za-z0-9][\w.:@-]*(?:%2F[\w.:@-]+)*$/
const QUERY = /^[!-~]*$/

/** A path that says all by itself: version, resource, name without slashes, verb. */
const COMMON_PATH = /^(?:\/v([0-9][0-9.]*))?\/([a-z]+)\/([A-Za-z0-9][\w.:@-]*)\/([a-z]+)$/

/** All but those that are WebSockets. */
export function frontRoutes(routes: readonly AnyRoute[]): FrontRoutes {
  const served = routes.filter(({ webSocket }) => webSocket !== 'only')
  return new Map(served.map((route) => [`${route.method} ${route.path}`, route]))
}

/** Undefined: none of them, or written in a way that the router has to read. */
export function findTarget(routes: FrontRoutes, method: string, url: string): Target | undefined {
  const queryAt = url.indexOf('?')
  const path = queryAt === -1 ? url : url.slice(0, queryAt)
  if (path.includes('%')) return undefined
  const query = readQuery(queryAt === -1 ? '' : url.slice(queryAt + 1))
  if (query === undefined) return undefined
  const common = findCommon(routes, method, path)
  if (common !== undefined) return { ...common, query }
  const { version, url: rest } = parsePath(path)
  const named = routes.get(`${method} ${rest}`)
  // `/containers/:id/json` as it stands there names a container `:id`.
  if (named?.path.includes(':') === false) return { route: named, version, id: '', query }
  const [, resource = '', name = '', ...verb] = rest.split('/')
  const route = routes.get([`${method} /${resource}/:id`, ...verb].join('/'))
  if (route === undefined || !NAME.test(name)) return undefined
  return { route, version, id: name.replaceAll('%2F', '/'), query }
}

/** The same for nearly every path of one container, without taking it apart twice. */
function findCommon(
  routes: FrontRoutes,
  method: string,
  path: string,
): Omit<Target, 'query'> | undefined {
  const parts = COMMON_PATH.exec(path)
  if (parts === null) return undefined
  const resource = parts[2] ?? ''
  const verb = parts[4] ?? ''
  if (!isVerb(resource, verb)) return undefined
  const route = routes.get(`${method} /${resource}/:id/${verb}`)
  return route && { route, version: parts[1], id: parts[3] ?? '' }
}

function readQuery(text: string): Record<string, string | string[]> | undefined {
  const query: Record<string, string | string[]> = Object.create(null)
  if (text === '') return query
  if (!QUERY.test(text)) return undefined
  for (const pair of text.split('&')) {
    const at = pair.indexOf('=')
    const name = decoded(at === -1 ? pair : pair.slice(0, at))
    const value = decoded(at === -1 ? '' : pair.slice(at + 1))
    if (name === undefined || value === undefined) return undefined
    const before = query[name]
    query[name] = before === undefined ? value : [...[before].flat(), value]
  }
  return query
}

/** Undefined: a percent sign without its two digits, or bytes that are no UTF-8. */
function decoded(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
