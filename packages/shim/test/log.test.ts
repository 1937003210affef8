import assert from 'node:assert/strict'
import { copyFile, open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { attachShim, LOG_COMPRESS } from '../src/index.ts'
import { Bench, type MinimalOptions, minimalProgram, parseLog } from './minimal-program.ts'
import { until } from './until.ts'

/** Requires root: namespaces, mounts. `testdata/json-file.golden` is what dockerd 20.10 wrote for `testdata/emit.sh`. */
describe('the json-file log', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
    await copyFile(
      join(import.meta.dirname, 'testdata/emit.sh'),
      join(bench.dir, 'image/etc/emit.sh'),
    )
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  async function run(script: string, log: MinimalOptions['log'] = {}): Promise<string> {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, {
        runtimeDir,
        args: ['sh', '-c', script],
        log: { path: join(runtimeDir, 'log'), ...log },
      }),
    )
    await connection.exited
    return join(runtimeDir, 'log')
  }

  it('is byte for byte what dockerd writes, times apart', async () => {
    const text = await readFile(await run('. /etc/emit.sh'), 'utf8')
    const golden = await readFile(join(import.meta.dirname, 'testdata/json-file.golden'), 'utf8')
    assert.equal(shorten(text), golden)
  })

  it('escapes a character wherever it is in a line, and no other', async () => {
    const lines = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
      .filter((character) => character !== '\n')
      .flatMap((character) =>
        Array.from({ length: 40 }, (_, at) => 'x'.repeat(at) + character + 'y'.repeat(39 - at)),
      )
    await writeFile(join(bench.dir, 'image/etc/lines'), lines.map((line) => `${line}\n`).join(''))
    const records = (await readFile(await run('cat /etc/lines'), 'utf8')).trimEnd().split('\n')
    assert.deepEqual(
      records.map((record) => record.slice(0, record.indexOf('\\n","stream":"stdout","time":"'))),
      lines.map((line) => `{"log":"${line.replace(ESCAPED, escapeOf)}`),
    )
  })

  it('has times in RFC 3339 with nanoseconds, in order and of now', async () => {
    const before = Date.now()
    const records = parseLog(
      await readFile(await run('for i in 1 2 3; do echo $i; sleep 0.01; done'), 'utf8'),
    )
    const times = records.map((record) => record.time)
    for (const time of times)
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/)
    assert.deepEqual(
      times.toSorted((a, b) => Date.parse(a) - Date.parse(b)),
      times,
    )
    assert.ok(Date.parse(times[0] ?? '') >= before && Date.parse(times[2] ?? '') <= Date.now())
  })

  it('puts extra attributes between stream and time', async () => {
    const text = await readFile(
      await run('echo hi', { extra: ',"attrs":{"a":"1","tag":"T"}' }),
      'utf8',
    )
    assert.match(
      text,
      /^\{"log":"hi\\n","stream":"stdout","attrs":\{"a":"1","tag":"T"\},"time":"[^"]+"\}\n$/,
    )
  })

  it('keeps the streams apart when their lines interleave in pieces', async () => {
    const text = await readFile(
      await run(
        'printf o; printf e >&2; sleep 0.05; printf u; printf r >&2; sleep 0.05; echo t; echo r >&2',
      ),
      'utf8',
    )
    const lines = parseLog(text).map((record) => `${record.stream} ${record.log}`)
    assert.deepEqual(lines.sort(), ['stderr err\n', 'stdout out\n'])
  })

  it('rotates as dockerd does: a file goes when it has reached the size, the oldest is dropped', async () => {
    const path = await run('seq 1 200', { max_bytes: 2000n, max_files: 3 })
    const names = (await readdir(join(path, '..'))).filter((name) => name.startsWith('log')).sort()
    assert.deepEqual(names, ['log', 'log.1', 'log.2'])
    const texts = await Promise.all(
      ['log.2', 'log.1', 'log'].map((name) => readFile(join(path, '..', name), 'utf8')),
    )
    for (const text of texts.slice(0, 2)) {
      const last = text.trimEnd().split('\n').at(-1) ?? ''
      assert.ok(text.length >= 2000 && text.length - last.length - 1 < 2000, `${text.length}`)
    }
    const numbers = texts.flatMap(parseLog).map((record) => Number(record.log))
    const first = numbers[0] ?? 0
    assert.deepEqual(
      numbers,
      Array.from({ length: 201 - first }, (_, i) => first + i),
    )
    assert.equal((await stat(path)).mode & 0o777, 0o640)
  })

  it('with one file begins a new one, so that who reads the old one can do so to its end', async () => {
    const script = 'seq 1 50; until [ -e /tmp/go ]; do sleep 0.01; done; seq 51 99'
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const go = join(bench.dir, 'image/tmp/go')
    const connection = await bench.spawner.run(
      minimalProgram(bench, {
        runtimeDir,
        args: ['sh', '-c', script],
        log: { path, max_bytes: 4000n, max_files: 1 },
      }),
    )
    while (parseLog(await readFile(path, 'utf8')).length < 50) await setTimeout(5)
    await using old = await open(path)
    await writeFile(go, '')
    await connection.exited
    const texts = [await old.readFile('utf8'), await readFile(path, 'utf8')]
    const numbers = texts.flatMap(parseLog).map((record) => Number(record.log))
    assert.deepEqual(
      numbers,
      Array.from({ length: 99 }, (_, i) => i + 1),
    )
    assert.deepEqual(
      (await readdir(runtimeDir)).filter((name) => name.startsWith('log')),
      ['log'],
    )
  })

  it('compresses rotated files, complete or not there', async () => {
    const path = await run('seq 1 3000; sleep 0.3; seq 3001 3100; sleep 0.3; seq 3101 3200', {
      max_bytes: 60_000n,
      max_files: 4,
      flags: LOG_COMPRESS,
    })
    const dir = join(path, '..')
    let rotated: string[] = []
    // Who compresses the last one may outlive the shim.
    await until(async () => {
      rotated = (await readdir(dir)).filter((name) => name.startsWith('log.')).sort()
      return rotated.length > 0 && rotated.every((name) => /^log\.\d\.gz$/.test(name))
    })
    const texts = await Promise.all(rotated.reverse().map((name) => readFile(join(dir, name))))
    const packed = texts.reduce((sum, bytes) => sum + bytes.length, 0)
    const all = [
      ...texts.map((bytes) => gunzipSync(bytes).toString()),
      await readFile(path, 'utf8'),
    ]
    assert.ok(packed * 4 < all.join('').length, `${packed} of ${all.join('').length}`)
    const numbers = all.flatMap(parseLog).map((record) => Number(record.log))
    assert.deepEqual(
      numbers,
      Array.from({ length: 3200 }, (_, i) => i + 1),
    )
  })

  it('keeps no other file when it may keep only one', async () => {
    const path = await run('seq 1 200', { max_bytes: 2000n, max_files: 1 })
    const names = (await readdir(join(path, '..'))).filter((name) => name.startsWith('log'))
    assert.deepEqual(names, ['log'])
    assert.equal(parseLog(await readFile(path, 'utf8')).at(-1)?.log, '200\n')
    assert.ok((await stat(path)).size < 2100)
  })

  it('goes on in an existing file, and counts what is in it', async () => {
    const path = await run('seq 1 20')
    const before = await readFile(path, 'utf8')
    await run('echo more', { path })
    assert.ok((await readFile(path, 'utf8')).startsWith(before))
    await run('echo x', { path, max_bytes: 500n, max_files: 2 })
    assert.equal(parseLog(await readFile(path, 'utf8')).length, 1)
  })

  it('reopens its file on request', async () => {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, stdin: true, args: ['cat'], log: { path } }),
    )
    const socket = await attachShim(runtimeDir, { stdin: true, stdout: true, stderr: false })
    socket.write('one\n')
    await new Promise((resolve) => socket.once('data', resolve))
    await rename(path, `${path}.moved`)
    await connection.reopenLog()
    socket.write('two\n')
    await new Promise((resolve) => socket.once('data', resolve))
    await connection.closeStdin()
    await connection.exited
    socket.destroy()
    assert.equal(parseLog(await readFile(path, 'utf8'))[0]?.log, 'two\n')
    assert.equal(parseLog(await readFile(`${path}.moved`, 'utf8'))[0]?.log, 'one\n')
  })

  it('refuses a path that is no regular file', async () => {
    const runtimeDir = await bench.runtimeDir()
    const program = minimalProgram(bench, {
      runtimeDir,
      args: ['true'],
      log: { path: '/dev/full' },
    })
    await assert.rejects(bench.spawner.run(program), { op: 'log_json', code: 'EINVAL' })
  })
})

function shorten(text: string): string {
  return text
    .replaceAll(/"time":"[^"]*"/g, '"time":"T"')
    .replaceAll(/(.)\1{99,}/g, (run: string, char: string) => `‹${char}×${run.length}›`)
}

// oxlint-disable-next-line no-control-regex
const ESCAPED = /[\x00-\x1f"&<>\\]/g

/** As Go's encoding/json with HTML escapes. */
function escapeOf(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  if (character === '\r') return '\\r'
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
