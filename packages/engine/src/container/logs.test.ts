import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { afterEach, beforeEach, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { systemClock } from '../clock.ts'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import { containerLogs } from './logs.ts'
import { Waiters } from './waiters.ts'

let directory: string
let path: string
let waiters: Waiters
beforeEach(() => {
  directory = mkdtempSync('/tmp/ctr-engine-logs-')
  path = join(directory, 'log')
  waiters = new Waiters()
})
afterEach(() => rmSync(directory, { recursive: true }))

/** The shim gives all lines of one read(2) the same time. */
const TIME = '2026-01-01T00:00:00.5Z'
const record = (text: string, time = TIME): string =>
  `${JSON.stringify({ log: `${text}\n`, stream: 'stdout', time })}\n`

async function logs(follow: boolean): Promise<Readable> {
  const container = { id: 'it', logPath: path, config: { Tty: true }, state: { status: 'running' } }
  const engine = {
    containers: { get: () => container as unknown as ContainerRecord },
    waiters,
    clock: systemClock,
  } as unknown as Pick<Engine, 'containers' | 'waiters' | 'clock'>
  const options = { stdout: true, stderr: true, follow, timestamps: false, details: false }
  const { stream } = await containerLogs(engine, 'it', options, new AbortController().signal)
  return stream
}

/** All lines, while `step` does something each time that one with its name has come. */
async function following(steps: Readonly<Record<string, () => void>>): Promise<string[]> {
  let text = ''
  const done = new Set<string>()
  for await (const chunk of (await logs(true)) as AsyncIterable<Buffer>) {
    text += chunk.toString()
    for (const line of text.split('\n')) {
      if (done.has(line)) continue
      done.add(line)
      steps[line]?.()
    }
  }
  return text.trimEnd().split('\n')
}

const end = (): void => waiters.exited('it', { exitCode: 0 })

/** As the shim does it with `max-file: 2`. */
function rotate(...texts: readonly string[]): void {
  renameSync(path, `${path}.1`)
  writeFileSync(path, texts.map((text) => record(text)).join(''))
}

test('a follower reads all files that are there, however often the log was rotated meanwhile', async () => {
  writeFileSync(path, record('a'))
  const lines = await following({
    a: () => {
      appendFileSync(path, record('b'))
      rotate('c', 'd')
      rotate('e')
      rotate('f', 'g')
    },
    g: end,
  })
  // c and d were in a file that was removed before it could be opened.
  assert.deepEqual(lines, ['a', 'b', 'e', 'f', 'g'])
})

test('what a follower has read comes once, also when it was compressed meanwhile', async () => {
  writeFileSync(path, record('a', '2026-01-01T00:00:01Z'))
  const lines = await following({
    a: () => {
      writeFileSync(`${path}.2.gz`, gzipSync(record('a', '2026-01-01T00:00:01Z')))
      writeFileSync(`${path}.1.gz`, gzipSync(record('b', '2026-01-01T00:00:02Z')))
      unlinkSync(path)
      writeFileSync(path, record('c', '2026-01-01T00:00:03Z'))
    },
    c: end,
  })
  assert.deepEqual(lines, ['a', 'b', 'c'])
})

test('a clock that was set back hides nothing', async () => {
  writeFileSync(path, record('a', '2026-06-01T00:00:00Z'))
  const lines = await following({
    a: () => {
      rotate('b')
      rotate('c')
    },
    c: end,
  })
  assert.deepEqual(lines, ['a', 'b', 'c'])
})

test('a log that was truncated by somebody is read from its new beginning', async () => {
  writeFileSync(path, record('a long first line'))
  const lines = await following({
    'a long first line': () => {
      truncateSync(path)
      appendFileSync(path, record('b'))
    },
    b: end,
  })
  assert.deepEqual(lines, ['a long first line', 'b'])
})

for (const [what, make] of [
  ['has been removed', () => undefined],
  ['is a FIFO', () => execFileSync('mkfifo', [path])],
  ['is a symlink', () => symlinkSync('/etc/passwd', path)],
  ['is a directory', () => execFileSync('mkdir', [path])],
] as const) {
  test(`a log that ${what} is empty`, { timeout: 60_000 }, async () => {
    make()
    const chunks = await (await logs(false)).toArray()
    assert.deepEqual(chunks, [])
    setImmediate(end)
    assert.deepEqual(await (await logs(true)).toArray(), [])
  })
}

test('an answer that is to end has what was there when it was asked for', async () => {
  const before = Array.from({ length: 20_000 }, (_, index) => String(index))
  writeFileSync(path, before.map((text) => record(text)).join(''))
  let text = ''
  for await (const chunk of (await logs(false)) as AsyncIterable<Buffer>) {
    text += chunk.toString()
    appendFileSync(path, record('later'))
  }
  assert.deepEqual(text.trimEnd().split('\n'), before)
})
