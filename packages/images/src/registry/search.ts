import type { AuthConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { DEFAULT_DOMAIN, MAX_FOREIGN_JSON_BYTES, parseForeignJson } from '@ctr/oci'
import { endpointsOf, type RegistrySettings } from './endpoint.ts'
import { readBody } from './errors.ts'
import { send } from './http.ts'

export interface SearchResult {
  readonly name: string
  readonly description: string
  readonly star_count: number
  readonly is_official: boolean
  readonly is_automated: boolean
}

/** Docker Hub's search is on another host than its images. */
const HUB_INDEX = { base: 'https://index.docker.io', verifiesTls: true }

/** `/v1/search`, which Docker Hub and few others have. `term` may begin with a registry: `quay.io/nginx`. */
export async function searchRegistry(
  settings: RegistrySettings,
  term: string,
  options: { readonly limit: number; readonly auth?: AuthConfig; readonly signal?: AbortSignal },
): Promise<SearchResult[]> {
  const { domain, query } = splitTerm(term)
  const endpoints =
    domain === DEFAULT_DOMAIN ? [HUB_INDEX] : endpointsOf(domain, settings, 'push').flat()
  const path = `/v1/search?q=${encodeURIComponent(query)}&n=${options.limit}`
  let failure: unknown
  for (const endpoint of endpoints) {
    try {
      const response = await send({
        method: 'GET',
        url: `${endpoint.base}${path}`,
        headers: basicAuth(options.auth),
        verifiesTls: endpoint.verifiesTls,
        signal: options.signal,
      })
      const body = await readBody(response, MAX_FOREIGN_JSON_BYTES)
      if (response.statusCode === 200) return parseResults(body)
      throw new EngineError('INTERNAL', `Unexpected status code ${response.statusCode}`)
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'UPSTREAM') throw error
      failure = error
    }
  }
  throw failure
}

/** moby registry/search.go: the first part is a registry if it looks like a host. */
function splitTerm(term: string): { domain: string; query: string } {
  if (term.includes('://')) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid repository name: repository name (${term}) should not have a scheme`,
    )
  }
  const slash = term.indexOf('/')
  const first = term.slice(0, Math.max(slash, 0))
  if (!/[.:]/.test(first) && first !== 'localhost') return { domain: DEFAULT_DOMAIN, query: term }
  const isHub = first === DEFAULT_DOMAIN || first === 'index.docker.io'
  return { domain: isHub ? DEFAULT_DOMAIN : first, query: term.slice(slash + 1) }
}

function basicAuth(auth: AuthConfig | undefined): Record<string, string> {
  const { username = '', password = '' } = auth ?? {}
  if (username === '') return {}
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

function parseResults(body: Buffer): SearchResult[] {
  let document: unknown
  try {
    document = parseForeignJson(body)
  } catch (cause) {
    throw new EngineError('INTERNAL', 'error decoding registry search results', { cause })
  }
  const { results } = (document ?? {}) as { results?: unknown }
  if (!Array.isArray(results)) return []
  return results.flatMap((item: unknown) => {
    const { name, description, star_count, is_official } = (item ?? {}) as Record<string, unknown>
    if (typeof name !== 'string') return []
    return {
      name,
      description: typeof description === 'string' ? description : '',
      star_count: typeof star_count === 'number' ? star_count : 0,
      is_official: is_official === true,
      // Always false since Docker 25.
      is_automated: false,
    }
  })
}
