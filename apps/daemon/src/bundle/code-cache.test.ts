import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { requires } from '@ctr/testkit'
import { CachedScript } from './code-cache.ts'

const skip = requires({ root: true })
/** Two functions, of which V8 compiles none before it is called. */
const SOURCE = `(function () {
  function first(x) { return ${'x + '.repeat(1000)} 1 }
  function second(x) { return ${'x * '.repeat(1000)} 1 }
  return { first, second }
})`
const DAY_S = 24 * 3600

interface Functions {
  first: (x: number) => number
  second: (x: number) => number
}

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ctr-code-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function load(source = SOURCE, name = 'a'): { script: CachedScript; functions: Functions } {
  const script = new CachedScript(source, { filename: '/a.cjs', name, directory })
  return { script, functions: (script.run() as () => Functions)() }
}

/** Leaves the code of `first`; gives the path of its file. */
function saved(): string {
  const { script, functions } = load()
  assert.equal(functions.first(1), 1001)
  script.save()
  return join(directory, 'a.code')
}

function assertNotUsed(why: string): void {
  const { script, functions } = load()
  assert.equal(script.hasCode, false, why)
  assert.equal(functions.first(1), 1001, why)
}

test('code of functions that were called is there the next time, and grows', { skip }, () => {
  const file = saved()
  const { size, mode } = statSync(file)
  assert.equal(mode & 0o777, 0o600)
  const { script, functions } = load()
  assert.equal(script.hasCode, true)
  assert.equal(functions.first(1), 1001)
  script.save()
  const before = readFileSync(file)
  script.save()
  assert.deepEqual(readFileSync(file), before)
  assert.equal(functions.second(1), 1)
  script.save()
  assert.ok(statSync(file).size > size * 1.5, `${statSync(file).size} after ${size} bytes`)
  assert.deepEqual(readdirSync(directory), ['a.code'])
})

test('code that is damaged is not used, and replaced', { skip }, () => {
  const file = saved()
  const good = readFileSync(file)
  for (const at of [0, 10, 100, good.length - 1]) {
    const bad = Buffer.from(good)
    bad.writeUInt8(bad.readUInt8(at) ^ 1, at)
    writeFileSync(file, bad)
    assertNotUsed(`byte ${at}`)
  }
  for (const length of [0, 3, 4, 5, good.length - 1]) {
    writeFileSync(file, good.subarray(0, length))
    assertNotUsed(`${length} bytes`)
  }
  saved()
  assert.equal(load().script.hasCode, true)
})

test('code of another source is not used', { skip }, () => {
  saved()
  assert.equal(load(SOURCE, 'b').script.hasCode, false)
  assert.equal(load(`${SOURCE} `).script.hasCode, false)
})

test('what others can write, or have written, is not used and not written', { skip }, () => {
  const file = saved()
  chmodSync(file, 0o620)
  assertNotUsed('a file that its group can write')
  chmodSync(file, 0o600)
  chownSync(file, 1000, 0)
  assertNotUsed('a file of another')
  rmSync(file)
  writeFileSync(join(directory, 'elsewhere'), 'x')
  symlinkSync('elsewhere', file)
  assertNotUsed('a link')
  rmSync(file)
  for (const [mode, uid] of [
    [0o722, 0],
    [0o700, 1000],
  ] as const) {
    chmodSync(directory, mode)
    chownSync(directory, uid, 0)
    load().script.save()
    assert.deepEqual(readdirSync(directory), ['elsewhere'])
  }
  chownSync(directory, 0, 0)
  rmSync(directory, { recursive: true })
  load().script.save()
  directory = mkdtempSync(join(tmpdir(), 'ctr-code-'))
})

test('code of builds that were used more than a week ago goes', { skip }, () => {
  for (const [name, days] of [
    ['old.code', 8],
    ['new.code', 6],
    ['old', 8],
  ] as const) {
    const path = join(directory, name)
    writeFileSync(path, '')
    utimesSync(path, Date.now() / 1000 - days * DAY_S, Date.now() / 1000 - days * DAY_S)
  }
  saved()
  assert.deepEqual(readdirSync(directory).sort(), ['a.code', 'new.code', 'old'])
})

test('a directory that may not be looked into is none', { skip }, () => {
  chmodSync(directory, 0o700)
  process.seteuid?.(65534)
  try {
    const inner = new CachedScript(SOURCE, {
      filename: '/a.cjs',
      name: 'a',
      directory: join(directory, 'inner'),
    })
    assert.equal(inner.hasCode, false)
  } finally {
    process.seteuid?.(0)
  }
})
