/**
 * A script with the code that V8 has made of it before. Node's own cache is taken when a file has been compiled, of which V8 leaves
 * out every function until it is called; this one is taken from a script that has worked.
 *
 * What is in the file runs as root. So it is read only if root alone can write it and its directory, if its checksum is right and V8
 * takes it for this source, version and flags. Otherwise there is none, and the next one replaces it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Script, constants as vm } from 'node:vm'
import { crc32 } from 'node:zlib'

const SUFFIX = '.code'
const CHECKSUM_BYTES = 4
/** Of builds that are no longer used. */
const KEPT_MS = 7 * 24 * 3600 * 1000
/** A later one has to have so much more than the one before. */
const WORTH_WRITING = 1.02

export class CachedScript {
  readonly #script: Script
  /** Undefined: nobody but root may be able to write it, or there is no place. */
  readonly #file: string | undefined
  /** Of the code that is in the file; 0: none that can be used. */
  #bytes: number

  /** `name` stands for this very source. `directory` may be missing, or another's: then there is no cache. */
  constructor(source: string, o: { filename: string; name: string; directory: string }) {
    this.#file = isPrivate(o.directory) ? join(o.directory, `${o.name}${SUFFIX}`) : undefined
    const cachedData = this.#file === undefined ? undefined : readCode(this.#file)
    this.#script = new Script(source, {
      filename: o.filename,
      cachedData,
      importModuleDynamically: vm.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    })
    const isTaken = cachedData !== undefined && this.#script.cachedDataRejected === false
    this.#bytes = isTaken ? cachedData.byteLength : 0
  }

  get hasCode(): boolean {
    return this.#bytes > 0
  }

  run(): unknown {
    return this.#script.runInThisContext()
  }

  /** Writes the code of all functions that have been called, unless as much is there: 30 ms and some. Fails silently. */
  save(): void {
    if (this.#file === undefined) return
    const code = this.#script.createCachedData()
    if (code.byteLength < this.#bytes * WORTH_WRITING) return
    const checksum = Buffer.alloc(CHECKSUM_BYTES)
    checksum.writeUInt32LE(crc32(code))
    const next = `${this.#file}.${process.pid}`
    try {
      writeFileSync(next, Buffer.concat([checksum, code]), { mode: 0o600, flag: 'wx' })
      renameSync(next, this.#file)
      this.#bytes = code.byteLength
      removeOld(this.#file)
    } catch {
      // A full disk, or one that is read only: starts take longer.
      rmSync(next, { force: true })
    }
  }
}

/** Root's, and nobody else can write it. */
function isRoots({ uid, mode }: Stats): boolean {
  return uid === 0 && (mode & 0o022) === 0
}

function isPrivate(directory: string): boolean {
  try {
    const stats = lstatSync(directory)
    return stats.isDirectory() && isRoots(stats)
  } catch {
    // Also one that we may not look into: who is not root is told so later, in words.
    return false
  }
}

function readCode(file: string): Buffer | undefined {
  let bytes: Buffer
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stats = fstatSync(fd)
      if (!stats.isFile() || !isRoots(stats)) return undefined
      bytes = readFileSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
  if (bytes.byteLength <= CHECKSUM_BYTES) return undefined
  const code = bytes.subarray(CHECKSUM_BYTES)
  return crc32(code) === bytes.readUInt32LE() ? code : undefined
}

function removeOld(file: string): void {
  const directory = dirname(file)
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    if (!name.includes(SUFFIX) || name === basename(file)) continue
    if (statSync(path).mtimeMs < Date.now() - KEPT_MS) rmSync(path, { force: true })
  }
}
