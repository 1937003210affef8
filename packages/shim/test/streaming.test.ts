import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { killShim, type StreamingConnection } from '../src/index.ts'
import { STDIO_STARTER_ERR, STDIO_STARTER_OUT } from '../src/ops.ts'
import { Bench, minimalProgram } from './minimal-program.ts'
import { until } from './until.ts'

const BOTH = STDIO_STARTER_OUT | STDIO_STARTER_ERR
const LOG_NONE = 2

/** Requires root: namespaces, mounts. */
describe('output on the connection of the starter', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  interface Running {
    readonly connection: StreamingConnection
    readonly runtimeDir: string
  }

  async function run(script: string, flags = BOTH): Promise<Running> {
    const runtimeDir = await bench.runtimeDir()
    const program = minimalProgram(bench, {
      runtimeDir,
      args: ['sh', '-c', script],
      log: { flags: LOG_NONE },
    }).map((op) => (op.op === 'stdio' ? { ...op, flags } : op))
    return { connection: await bench.spawner.runStreaming(program), runtimeDir }
  }

  it('comes whole, in frames, and ends when the end may be known', async () => {
    const { connection } = await run('echo out; echo err >&2; exit 3')
    const output = readAll(connection.output)
    assert.equal((await connection.exited).exitCode, 3)
    let hasEnded = false
    void output.then(() => {
      hasEnded = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(hasEnded, false)
    connection.endOutput()
    assert.deepEqual(streams(await output), { 1: 'out\n', 2: 'err\n' })
  })

  it('is of the streams that were asked for', async () => {
    const { connection } = await run('echo out; echo err >&2', STDIO_STARTER_ERR)
    await connection.exited
    connection.endOutput()
    assert.deepEqual(streams(await readAll(connection.output)), { 2: 'err\n' })
  })

  it('holds neither the start nor itself back while the process lives', async () => {
    const { connection } = await run('echo first; exec sleep 100')
    assert.ok(connection.pid > 0)
    assert.equal(connection.ended, undefined)
    const [bytes] = (await once(connection.output, 'data')) as [Buffer]
    assert.deepEqual(streams(bytes), { 1: 'first\n' })
    await connection.signal(9)
    assert.equal((await connection.exited).exitCode, 137)
    await assert.rejects(connection.signal(9), { code: 'ESRCH' })
  })

  it('waits for a slow reader, who hinders neither requests nor word of the end', async () => {
    const size = 8_000_000
    const { connection } = await run(`dd if=/dev/zero bs=1000000 count=8 2>/dev/null`)
    await until(() => connection.output.readableLength > 0)
    let isOver = false
    void connection.exited.then(() => {
      isOver = true
    })
    await connection.signal(18) // SIGCONT
    assert.equal(isOver, false)
    connection.output.on('end', () => undefined)
    const output = readAll(connection.output)
    await connection.exited
    connection.endOutput()
    assert.equal(streams(await output)[1]?.length, size)
  })

  it('is read to its end although the end is known before', async () => {
    // Less than fits into the shim's buffer, more than fits into a socket.
    const { connection, runtimeDir } = await run('dd if=/dev/zero bs=900000 count=1 2>/dev/null')
    await connection.exited
    assert.equal(existsSync(join(runtimeDir, 'exit')), true)
    connection.endOutput()
    assert.equal(streams(await readAll(connection.output))[1]?.length, 900_000)
  })

  it('is dropped when its reader leaves, and the process goes on', async () => {
    const { connection } = await run('yes | head -c 20000000; sleep 0.2; exit 4')
    await once(connection.output, 'readable')
    connection.output.destroy()
    assert.equal((await connection.exited).exitCode, 4)
  })

  it('ends with a shim that is killed', async () => {
    const { connection, runtimeDir } = await run('echo said; exec sleep 100')
    await once(connection.output, 'readable')
    killShim(runtimeDir)
    await assert.rejects(connection.exited, { message: 'shim died' })
    connection.endOutput()
    assert.deepEqual(streams(await readAll(connection.output)), { 1: 'said\n' })
  })
})

function once(stream: Readable, event: string): Promise<unknown[]> {
  return new Promise((resolve) => stream.once(event, (...values: unknown[]) => resolve(values)))
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** By the type of the frames. */
function streams(bytes: Buffer): Record<number, string> {
  const found: Record<number, string> = {}
  for (let at = 0; at < bytes.length; ) {
    const type = bytes.readUInt8(at)
    const end = at + 8 + bytes.readUInt32BE(at + 4)
    found[type] = (found[type] ?? '') + bytes.toString('latin1', at + 8, end)
    at = end
  }
  return found
}
