import { createHash, randomFillSync } from 'node:crypto'

/** `sha256:<64 hex>`. */
export type Digest = `sha256:${string}`

const DIGEST = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text)
}

/** The hex part. Throws RangeError for anything but a sha256 digest, so that the result is safe as a file name. */
export function digestHex(digest: string): string {
  if (!isDigest(digest)) throw new RangeError(`invalid digest: ${JSON.stringify(digest)}`)
  return digest.slice('sha256:'.length)
}

export function digestOf(data: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`
}

/** The digest of a stack of layers: a layer's own diff ID, or sha256 of "<chain below> <diff ID>". image-spec config.md#layer-chainid */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`))
  }
  return chain
}

/** A new id: 64 hex digits, never all decimal in its first 12 (it would be taken for a number, e.g. as a host name). */
export function newId(): string {
  for (;;) {
    const id = randomId()
    if (!/^\d{12}/.test(id)) return id
  }
}

const ID_BYTES = 32
/** Asked for at once: a question to the random generator costs ten times its answer. Ids are unique, not secret. */
const pool = Buffer.allocUnsafe(32 * ID_BYTES)
let used = pool.length

function randomId(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += ID_BYTES
  return pool.toString('hex', used - ID_BYTES, used)
}

/** First 12 hex digits of an id or a digest. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
