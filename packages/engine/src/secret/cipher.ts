import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Keeps secrets unreadable in the database and its copies. The key is a file of its own, 0600, made with the first
 * secret: who has both (root of this host) can read them. Stored: nonce, tag, ciphertext; the id is authenticated, so
 * that rows cannot be exchanged.
 */
export class SecretCipher {
  readonly #path: string
  #key: Buffer | undefined

  constructor(path: string) {
    this.#path = path
  }

  encrypt(id: string, data: Buffer): Buffer {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.#load() ?? this.#make(), nonce)
    cipher.setAAD(Buffer.from(id))
    const text = Buffer.concat([cipher.update(data), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), text])
  }

  /** INTERNAL when the key is not the one that it was encrypted with. */
  decrypt(id: string, stored: Buffer): Buffer {
    const key = this.#load()
    try {
      if (key === undefined) throw new Error(`${this.#path} is missing`)
      const decipher = createDecipheriv(ALGORITHM, key, stored.subarray(0, NONCE_BYTES))
      decipher.setAAD(Buffer.from(id))
      decipher.setAuthTag(stored.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
      const text = stored.subarray(NONCE_BYTES + TAG_BYTES)
      return Buffer.concat([decipher.update(text), decipher.final()])
    } catch (cause) {
      throw new EngineError('INTERNAL', `secret ${id} cannot be decrypted with ${this.#path}`, {
        cause,
      })
    }
  }

  #load(): Buffer | undefined {
    if (this.#key !== undefined) return this.#key
    let key: Buffer
    try {
      key = readFileSync(this.#path)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
    if (key.byteLength !== KEY_BYTES) {
      throw new EngineError('INTERNAL', `${this.#path} is not a key of ${KEY_BYTES} bytes`)
    }
    this.#key = key
    return key
  }

  /** On disk before anything is encrypted with it. */
  #make(): Buffer {
    const key = randomBytes(KEY_BYTES)
    const temporary = `${this.#path}.tmp`
    const fd = openSync(temporary, 'w', 0o600)
    try {
      writeSync(fd, key)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, this.#path)
    this.#key = key
    return key
  }
}
