import { createHash } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { RuntimeSeccomp } from '@ctr/oci'
import { compileSeccomp } from './seccomp.ts'

/** Raised with every change of what is made of a profile: files of another number are not looked at. */
const REVISION = 3
const KEPT_MAX = 64
/** In front of a filter in its file: a power cut may leave a part of one, or zeros, where the directory is on a disk. */
const CHECKSUM_BYTES = 4

/**
 * Filters by profile. To compile one takes 50 ms, and it depends on nothing but the profile and the machine: they are kept in memory
 * and, for the next process, in a directory that nobody else can write to (a tmpfs as a rule: once per boot). Never more than 64.
 */
export class SeccompFilters {
  readonly #directory: string
  readonly #byText = new Map<string, Uint8Array>()
  /** The same by identity: the default profile is one object, and its text as a key takes longer than the rest. */
  readonly #byProfile = new WeakMap<RuntimeSeccomp, Uint8Array>()

  constructor(directory: string) {
    this.#directory = directory
  }

  /** This very object has been asked for. */
  has(profile: RuntimeSeccomp): boolean {
    return this.#byProfile.has(profile)
  }

  /** struct sock_filter[], see `compileSeccomp`. */
  get(profile: RuntimeSeccomp): Uint8Array {
    const known = this.#byProfile.get(profile)
    if (known !== undefined) return known
    const text = JSON.stringify(profile)
    const filter = this.#byText.get(text) ?? this.#read(text) ?? this.#compile(profile, text)
    if (this.#byText.size >= KEPT_MAX) this.#byText.delete(this.#byText.keys().next().value ?? '')
    this.#byText.set(text, filter)
    this.#byProfile.set(profile, filter)
    return filter
  }

  #compile(profile: RuntimeSeccomp, text: string): Uint8Array {
    const filter = compileSeccomp(profile)
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
      if (!isOurs(this.#directory) || readdirSync(this.#directory).length >= KEPT_MAX) return filter
      const checksum = Buffer.alloc(CHECKSUM_BYTES)
      checksum.writeUInt32LE(crc32(filter))
      replaceFile(this.#pathOf(text), Buffer.concat([checksum, filter]))
    } catch {
      // Next time again.
    }
    return filter
  }

  #read(text: string): Uint8Array | undefined {
    if (!isOurs(this.#directory)) return undefined
    try {
      const bytes = readFileSync(this.#pathOf(text))
      if (bytes.length <= CHECKSUM_BYTES) return undefined
      const filter = bytes.subarray(CHECKSUM_BYTES)
      return crc32(filter) === bytes.readUInt32LE() ? filter : undefined
    } catch {
      return undefined
    }
  }

  #pathOf(text: string): string {
    const machine = `${REVISION} ${process.arch} ${release()}`
    return join(this.#directory, createHash('sha256').update(`${machine} ${text}`).digest('hex'))
  }
}

function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${process.pid}`
  try {
    writeFileSync(temporary, bytes, { mode: 0o600 })
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

/** Nobody else may have put a filter there. */
function isOurs(directory: string): boolean {
  try {
    const stats = lstatSync(directory)
    return stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0
  } catch {
    return false
  }
}
