import { type Query, type Response, readdress } from './message.ts'

/**
 * Answers of other resolvers for as long as they say, but no longer than a few minutes. An entry serves queries that are
 * the same but for the id and the spelling of the name: what a client says in EDNS, DO or CD shapes its answer.
 */
export class Cache {
  /** In order of last use. */
  readonly #entries = new Map<string, { response: Response; storedAtMs: number }>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get(query: Query, servers: readonly string[]): Buffer | undefined {
    const key = keyOf(query, servers)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    const ageSeconds = Math.floor((this.#nowMs() - entry.storedAtMs) / SECOND)
    if (ageSeconds >= Math.min(entry.response.lifetimeSeconds, MAX_AGE_SECONDS)) return undefined
    this.#entries.set(key, entry)
    return readdress(entry.response, query, ageSeconds)
  }

  put(query: Query, servers: readonly string[], response: Response): void {
    if (response.lifetimeSeconds === 0 || response.bytes.length > MAX_ENTRY_BYTES) return
    const key = keyOf(query, servers)
    this.#entries.delete(key)
    this.#entries.set(key, { response, storedAtMs: this.#nowMs() })
    if (this.#entries.size <= MAX_ENTRIES) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}

const SECOND = 1000
const MAX_AGE_SECONDS = 300
const MAX_ENTRIES = 1000
const MAX_ENTRY_BYTES = 4096

function keyOf(query: Query, servers: readonly string[]): string {
  const { bytes, questionEnd } = query
  const flagsAndCounts = bytes.toString('latin1', 2, 12)
  const kindAndRest = bytes.toString('latin1', questionEnd - 4)
  return [servers.join(' '), flagsAndCounts, query.name, kindAndRest].join('\n')
}
