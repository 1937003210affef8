import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { apiRequest, requires, waitFor } from '@ctr/testkit'

// Decision 34, from end to end: what one ctrd has written when it was ten seconds old, and what the next makes of it.
const ctrd = fileURLToPath(new URL('../../../bin/ctrd', import.meta.url))
const skip = requires({ root: true, files: [ctrd] })

let root: string
before(() => {
  root = mkdtempSync('/tmp/ctr-code-cache-')
})
after(() => rmSync(root, { recursive: true }))

/** A ctrd that keeps its code in a directory of its own, and answers. */
class Ctrd {
  readonly cache: string
  readonly #directory: string
  readonly #process: ChildProcess

  constructor(name: string, prepare: (file: string) => void = () => undefined) {
    this.#directory = join(root, name)
    this.cache = join(this.#directory, 'cache')
    mkdirSync(this.cache, { recursive: true, mode: 0o700 })
    const seed = join(root, 'seed/cache')
    if (name !== 'seed') {
      for (const file of codeFiles(seed)) copyFileSync(join(seed, file), join(this.cache, file))
      prepare(this.file)
    }
    const d = this.#directory
    const at = ['--data-root', `${d}/data`, '--exec-root', `${d}/run`, '--pidfile', `${d}/pid`]
    const args = ['-H', `unix://${d}/s`, ...at, '--bridge', 'none']
    const env = { ...process.env, NODE_COMPILE_CACHE: this.cache }
    this.#process = spawn(ctrd, args, { env, stdio: 'ignore' })
  }

  get file(): string {
    const [name = ''] = codeFiles(this.cache)
    return join(this.cache, name)
  }

  async answers(): Promise<void> {
    await waitFor('ctrd to answer', async () => {
      assert.equal(this.#process.exitCode, null)
      const path = join(this.#directory, 's')
      const answer = await apiRequest(path, 'GET', '/images/json').catch(() => undefined)
      return answer?.status === 200
    })
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill(signal)
    await once(this.#process, 'exit')
  }
}

function codeFiles(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.code'))
}

/** Changes a byte; with a right checksum only V8 can see it. */
function change(file: string, at: number, isChecked: boolean): void {
  const bytes = readFileSync(file)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  if (isChecked) bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  writeFileSync(file, bytes)
}

/** Of V8's header, after four bytes of ours: magic number, hash of the version, of the source, of the flags. code-serializer.h */
const VERSION_AT = 4 + 4
const FLAGS_AT = 4 + 12

const USELESS: Record<string, (file: string) => void> = {
  damaged: (file) => change(file, 100_000, false),
  'cut short': (file) => truncateSync(file, 100_000),
  empty: (file) => truncateSync(file, 0),
  'of another user': (file) => chownSync(file, 1000, 1000),
  'of another version of Node': (file) => change(file, VERSION_AT, true),
  'of other flags': (file) => change(file, FLAGS_AT, true),
}

describe('compiled code of an earlier ctrd', { skip, timeout: 600_000 }, () => {
  test('is used, and what is no good is replaced and harms nobody', async () => {
    const started: Ctrd[] = []
    const start = (...args: ConstructorParameters<typeof Ctrd>): Ctrd => {
      const one = new Ctrd(...args)
      started.push(one)
      return one
    }
    try {
      const seed = start('seed')
      await waitFor('the code to be kept', () => codeFiles(seed.cache).length > 0)
      await seed.end('SIGTERM')
      const good = start('good')
      const before = statSync(good.file)
      await good.answers()
      const others = Object.entries(USELESS).map(([name, prepare]) => ({
        name,
        one: start(name, prepare),
      }))
      for (const { name, one } of others) {
        await one.answers()
        await waitFor(`the code to be replaced: ${name}`, () => {
          const { uid, size } = statSync(one.file)
          return uid === 0 && size > before.size / 2 && isWhole(one.file)
        })
      }
      // Older than these it would have been written, too, had V8 not taken it.
      await good.answers()
      const now = statSync(good.file)
      assert.deepEqual([now.ino, now.mtimeMs], [before.ino, before.mtimeMs])
    } finally {
      for (const one of started) await one.end('SIGKILL')
    }
  })
})

function isWhole(file: string): boolean {
  const bytes = readFileSync(file)
  const seed = join(root, 'seed/cache')
  const [name = ''] = codeFiles(seed)
  const good = readFileSync(join(seed, name))
  const header = [VERSION_AT, FLAGS_AT + 4] as const
  const isOfThisNode = bytes.subarray(...header).equals(good.subarray(...header))
  return isOfThisNode && crc32(bytes.subarray(4)) === bytes.readUInt32LE()
}
