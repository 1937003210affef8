import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { attachShim, connectShim, type ShimConnection } from '../src/index.ts'
import { Bench, type MinimalOptions, minimalProgram, parseLog } from './minimal-program.ts'

const ALL = { stdin: true, stdout: true, stderr: true }

/** Requires root: namespaces, mounts. */
describe('stdio of a process', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  interface Running {
    readonly connection: ShimConnection
    readonly runtimeDir: string
    readonly log: () => Promise<string>
  }

  async function run(
    args: readonly string[],
    more: Partial<MinimalOptions> = {},
  ): Promise<Running> {
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args, ...more, log: { path, ...more.log } }),
    )
    return { connection, runtimeDir, log: () => readFile(path, 'utf8') }
  }

  /** Runs with one client attached before the first byte is read. */
  async function runAttached(
    args: readonly string[],
    more: Partial<MinimalOptions> = {},
    streams = ALL,
  ): Promise<Running & { socket: Socket }> {
    const running = await run(args, { expectAttach: 1, ...more })
    return { ...running, socket: await attachShim(running.runtimeDir, streams) }
  }

  it('sends both streams to an attached client in Docker frames, and to the log', async () => {
    const { socket, connection, log } = await runAttached(['sh', '-c', 'echo out; echo err >&2'])
    const { stdout, stderr } = demultiplex(await readAll(socket))
    assert.equal(stdout.toString(), 'out\n')
    assert.equal(stderr.toString(), 'err\n')
    await connection.exited
    const records = parseLog(await log()).map(({ log: text, stream }) => ({ text, stream }))
    assert.deepEqual(
      records.sort((a, b) => a.text.localeCompare(b.text)),
      [
        { text: 'err\n', stream: 'stderr' },
        { text: 'out\n', stream: 'stdout' },
      ],
    )
  })

  it('sends a client only the streams that it asked for', async () => {
    const { socket } = await runAttached(
      ['sh', '-c', 'echo out; echo err >&2'],
      {},
      { ...ALL, stdout: false },
    )
    const { stdout, stderr } = demultiplex(await readAll(socket))
    assert.equal(stdout.length, 0)
    assert.equal(stderr.toString(), 'err\n')
  })

  it('passes binary input through and ends it when the client does', async () => {
    const input = randomBytes(5_000_000)
    const { socket, connection } = await runAttached(['md5sum'], { stdin: true, stdinOnce: true })
    socket.end(input)
    const { stdout } = demultiplex(await readAll(socket))
    assert.equal(stdout.toString().split(' ')[0], createHash('md5').update(input).digest('hex'))
    assert.equal((await connection.exited).exitCode, 0)
  })

  it('echoes a large input back without losing a byte', async () => {
    const input = randomBytes(3_000_000)
    const { socket } = await runAttached(['cat'], { stdin: true, stdinOnce: true })
    const output = readAll(socket)
    socket.end(input)
    assert.ok(demultiplex(await output).stdout.equals(input))
  })

  it('has its last words heard by who still has input for it', async () => {
    const { socket, connection } = await runAttached(['echo', 'out'], { stdin: true })
    await connection.exited
    for (const piece of ['late', 'later', 'too late']) {
      await new Promise<void>((resolve) => socket.write(piece, () => resolve()))
    }
    assert.equal(demultiplex(await readAll(socket)).stdout.toString(), 'out\n')
  })

  it('keeps stdin open after a client without STDIN_ONCE, until closeStdin()', async () => {
    const { socket, connection, runtimeDir, log } = await runAttached(['cat'], { stdin: true })
    socket.end('first\n')
    await first(socket)
    socket.destroy()
    const second = await attachShim(runtimeDir, ALL)
    second.write('second\n')
    await first(second)
    await connection.closeStdin()
    assert.equal((await connection.exited).exitCode, 0)
    assert.deepEqual(
      parseLog(await log()).map((record) => record.log),
      ['first\n', 'second\n'],
    )
  })

  it('serves several clients at once', async () => {
    const running = await run(['sh', '-c', 'echo both'], { expectAttach: 2 })
    const sockets = await Promise.all([
      attachShim(running.runtimeDir, ALL),
      attachShim(running.runtimeDir, ALL),
    ])
    const outputs = await Promise.all(sockets.map(readAll))
    for (const output of outputs) assert.equal(demultiplex(output).stdout.toString(), 'both\n')
  })

  it('makes the process wait for a slow client, loses nothing, and lets it go on when the client leaves', async () => {
    const { socket, connection, log } = await runAttached(
      ['sh', '-c', 'dd if=/dev/zero bs=1000000 count=8; echo end >&2'],
      {
        log: { flags: 2 },
      },
    )
    socket.pause()
    let isOver = false
    void connection.exited.then(() => {
      isOver = true
    })
    await quiet(connection.pid)
    assert.equal(isOver, false)
    const { stdout } = demultiplex(await readAll(socket))
    assert.equal(stdout.length, 8_000_000)
    await connection.exited
    await assert.rejects(log(), { code: 'ENOENT' }) // LOG_NONE

    const other = await runAttached(['sh', '-c', 'dd if=/dev/zero bs=1000000 count=8'], {
      log: { flags: 2 },
    })
    other.socket.pause()
    await quiet(other.connection.pid)
    other.socket.destroy()
    assert.equal((await other.connection.exited).exitCode, 0)
  })

  it('never waits for anybody when nobody is attached', async () => {
    const { connection, log } = await run(['sh', '-c', 'seq 1 100000'])
    assert.equal((await connection.exited).exitCode, 0)
    const records = parseLog(await log())
    assert.equal(records.length, 100_000)
    assert.equal(records.at(-1)?.log, '100000\n')
  })

  it('reads no output before the expected client has come', async () => {
    const { connection, runtimeDir } = await run(['echo', 'early'], { expectAttach: 1 })
    let isOver = false
    void connection.exited.then(() => {
      isOver = true
    })
    await gone(connection.pid)
    await new Promise((resolve) => setTimeout(resolve, 300)) // longer than an exec's output is waited for
    assert.equal(isOver, false)
    const socket = await attachShim(runtimeDir, ALL)
    assert.equal(demultiplex(await readAll(socket)).stdout.toString(), 'early\n')
    await connection.exited
  })

  it('stops waiting for clients when the starter goes away', async () => {
    const { connection, runtimeDir, log } = await run(['echo', 'late'], { expectAttach: 1 })
    const other = await connectShim(runtimeDir)
    connection.close()
    assert.equal((await other.exited).exitCode, 0)
    assert.equal(parseLog(await log())[0]?.log, 'late\n')
  })

  it('gives a terminal that is the controlling one, with its size set before exec', async () => {
    const { socket, connection } = await runAttached(
      [
        'sh',
        '-c',
        'tty; stty size; test -t 0 && echo isatty; echo x >/dev/tty; stat -c %t:%T /dev/console',
      ],
      { tty: { rows: 33, columns: 91 } },
    )
    const output = (await readAll(socket)).toString()
    assert.equal(output, '/dev/pts/0\r\n33 91\r\nisatty\r\nx\r\n88:0\r\n')
    await connection.exited
  })

  it('resizes a terminal while the process runs', async () => {
    const { socket, connection } = await runAttached(
      ['sh', '-c', "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 1; done"],
      { tty: { rows: 24, columns: 80 } },
    )
    await first(socket)
    await connection.resize(40, 132)
    assert.match((await readAll(socket)).toString(), /40 132\r\n$/)
  })

  it('turns Ctrl-C on a terminal into SIGINT', async () => {
    const { socket, connection } = await runAttached(
      ['sh', '-c', "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 1; done"],
      { tty: { rows: 24, columns: 80 } },
    )
    await first(socket)
    socket.write('\x03')
    assert.match((await readAll(socket)).toString(), /caught/)
    assert.equal((await connection.exited).exitCode, 5)
  })

  it('does not end a terminal session when a client leaves', async () => {
    const { socket, connection, runtimeDir } = await runAttached(['sh'], {
      tty: { rows: 24, columns: 80 },
    })
    socket.write('echo a$((1+1))\n')
    await untilText(socket, /a2\r\n/)
    socket.destroy()
    const second = await attachShim(runtimeDir, ALL)
    second.write('exit 4\n')
    await readAll(second)
    assert.equal((await connection.exited).exitCode, 4)
  })

  it('refuses resize without a terminal, and attach without streams', async () => {
    const { connection, runtimeDir } = await run(['sleep', '100'])
    await assert.rejects(connection.resize(1, 1), { code: 'ENOTTY' })
    await assert.rejects(attachShim(runtimeDir, { stdin: false, stdout: false, stderr: false }), {
      code: 'EINVAL',
    })
    await assert.rejects(connection.signal(0), { code: 'EINVAL' })
    await connection.signal(9)
    await connection.exited
    await assert.rejects(connection.signal(9), { code: 'ESRCH' })
  })

  it('lets an unprivileged process open its stdout anew', async () => {
    const program = [{ op: 'user', uid: 1000, gid: 1000, groups: new Uint8Array() }] as const
    const runtimeDir = await bench.runtimeDir()
    const path = join(runtimeDir, 'log')
    const ops = minimalProgram(bench, {
      runtimeDir,
      args: ['sh', '-c', 'echo hi >/dev/stdout'],
      log: { path },
      processOps: program,
    }).map((op) => (op.op === 'stdio' ? { ...op, uid: 1000, gid: 1000 } : op))
    const connection = await bench.spawner.run(ops)
    assert.equal((await connection.exited).exitCode, 0)
    assert.equal(parseLog(await readFile(path, 'utf8'))[0]?.log, 'hi\n')
  })

  it('ends although a process outside the container holds its output open', async () => {
    // Without a pid namespace nothing kills the sleeper; without cgroups the shim does not know it.
    const { connection, log } = await run(['sh', '-c', 'setsid sleep 300 & echo $!'], {
      namespaces: 0x00020000n,
    })
    assert.equal((await connection.exited).exitCode, 0)
    const sleeper = Number(parseLog(await log())[0]?.log)
    assert.equal(await readFile(`/proc/${sleeper}/comm`, 'utf8'), 'sleep\n')
    process.kill(sleeper)
  })
})

function readAll(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => {
      socket.destroy()
      resolve(Buffer.concat(chunks))
    })
    socket.on('error', reject)
    socket.resume()
  })
}

/** Waits for some output, takes it, and leaves the socket paused. */
function first(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => {
      socket.pause()
      resolve()
    })
  })
}

function untilText(socket: Socket, pattern: RegExp): Promise<void> {
  return new Promise((resolve) => {
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString()
      if (!pattern.test(text)) return
      socket.off('data', onData)
      resolve()
    }
    socket.on('data', onData)
  })
}

function demultiplex(bytes: Buffer): { stdout: Buffer; stderr: Buffer } {
  const parts: Record<number, Buffer[]> = { 1: [], 2: [] }
  let rest = bytes
  while (rest.length > 0) {
    const end = 8 + rest.readUInt32BE(4)
    assert.equal(rest.readUInt32BE(0) & 0xffffff, 0)
    assert.ok(end <= rest.length, 'a frame cut short')
    parts[rest.readUInt8(0)]?.push(rest.subarray(8, end))
    rest = rest.subarray(end)
  }
  return { stdout: Buffer.concat(parts[1] ?? []), stderr: Buffer.concat(parts[2] ?? []) }
}

async function gone(pid: number): Promise<void> {
  await poll(async () => (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')) === '')
}

/** Waits until the process's child is blocked writing into a full pipe. */
async function quiet(pid: number): Promise<void> {
  await poll(async () => {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
    const child = children.trim().split(' ')[0]
    const wchan = await readFile(`/proc/${child === '' ? pid : child}/wchan`, 'utf8').catch(
      () => '',
    )
    return wchan.includes('pipe_write')
  })
}

async function poll(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'time ran out')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
