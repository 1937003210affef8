import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { encodeStart } from '../src/encode.ts'
import { attachShim, connectShim, readExitRecord, Spawner } from '../src/index.ts'
import { limitDescriptors, untilItSleeps } from './descriptors.ts'
import { Bench, minimalProgram, parseLog } from './minimal-program.ts'
import { until } from './until.ts'

/** Requires root: namespaces, mounts. */
describe('survival', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  it('a process dies with its shim, and the connection says so', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sleep', '100'] }),
    )
    const shim = Number(await readFile(join(runtimeDir, 'shim.pid'), 'utf8'))
    process.kill(shim, 'SIGKILL')
    await assert.rejects(connection.exited, /shim died/)
    await until(() => !existsSync(`/proc/${connection.pid}`))
    await assert.rejects(connectShim(runtimeDir), { code: 'ECONNREFUSED' })
    assert.equal(await readExitRecord(runtimeDir), undefined)
    // The directory can be used again although the dead shim's socket is in it.
    const again = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sh', '-c', 'exit 0'] }),
    )
    assert.equal((await again.exited).exitCode, 0)
  })

  it('a shim without descriptors sleeps, and lets in who has come when it has some again', async () => {
    const runtimeDir = await bench.runtimeDir()
    const args = ['sleep', '100']
    const connection = await bench.spawner.run(minimalProgram(bench, { runtimeDir, args }))
    const shim = Number(await readFile(join(runtimeDir, 'shim.pid'), 'utf8'))
    limitDescriptors(shim, 3)
    const waiting = connectShim(runtimeDir)
    await untilItSleeps(shim)
    limitDescriptors(shim, 1024)
    assert.equal((await waiting).pid, connection.pid)
    await connection.signal(9)
    await connection.exited
  })

  it('an unprivileged process dies with its shim too', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, {
        runtimeDir,
        args: ['sleep', '100'],
        namespaces: 0x00020000n, // no pid namespace, so that nothing but the parent-death signal kills it
        processOps: [{ op: 'user', uid: 1000, gid: 1000, groups: new Uint8Array() }],
      }),
    )
    const shim = Number(await readFile(join(runtimeDir, 'shim.pid'), 'utf8'))
    process.kill(shim, 'SIGKILL')
    await until(() => !existsSync(`/proc/${connection.pid}`))
  })

  it('a container goes on when its starter is killed: output, exit code, attach', async () => {
    const runtimeDir = await bench.runtimeDir()
    const logPath = join(runtimeDir, 'log')
    const program = minimalProgram(bench, {
      runtimeDir,
      stdin: true,
      log: { path: logPath },
      args: [
        'sh',
        '-c',
        'i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; read x; echo got $x; exit 9',
      ],
    })
    const messagePath = join(bench.dir, 'message')
    await writeFile(messagePath, encodeStart(program))
    const starter = startStarter(bench.dir, messagePath)
    const pid = await firstLine(starter)
    starter.kill('SIGKILL')
    await new Promise((resolve) => starter.once('exit', resolve))
    const connection = await connectShim(runtimeDir)
    assert.equal(connection.pid, Number(pid))
    const socket = await attachShim(runtimeDir, { stdin: true, stdout: true, stderr: true })
    socket.resume()
    socket.end('hello\n')
    assert.equal((await connection.exited).exitCode, 9)
    const records = parseLog(await readFile(logPath, 'utf8'))
    assert.equal(records.length, 20_001)
    assert.equal(records[19_999]?.log, 'line 19999\n')
    assert.equal(records.at(-1)?.log, 'got hello\n')
    assert.equal((await readExitRecord(runtimeDir))?.exitCode, 9)
  })

  it('an exit without a daemon is on record', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sh', '-c', 'sleep 0.2; exit 6'] }),
    )
    connection.close()
    await until(() => existsSync(join(runtimeDir, 'exit')))
    assert.equal((await readExitRecord(runtimeDir))?.exitCode, 6)
    await until(() => !existsSync(join(runtimeDir, 'shim.sock')))
  })

  it('an exit is on record though the filesystem of the runtime directory is full', async () => {
    const tmpfs = join(bench.dir, 'small')
    await mkdir(tmpfs)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', tmpfs])
    try {
      const runtimeDir = join(tmpfs, 'run')
      await mkdir(runtimeDir)
      const connection = await bench.spawner.run(
        minimalProgram(bench, { runtimeDir, stdin: true, args: ['sh', '-c', 'read x; exit 6'] }),
      )
      await assert.rejects(writeFile(join(tmpfs, 'fill'), Buffer.alloc(100_000)), {
        code: 'ENOSPC',
      })
      connection.close()
      const socket = await attachShim(runtimeDir, { stdin: true, stdout: false, stderr: false })
      socket.end('\n')
      await until(() => existsSync(join(runtimeDir, 'exit')))
      assert.equal((await readExitRecord(runtimeDir))?.exitCode, 6)
      await until(() => !existsSync(join(runtimeDir, 'shim.sock')))
    } finally {
      execFileSync('umount', ['--lazy', tmpfs])
    }
  })

  it('a starter that ends at any moment of a start does not harm it', async () => {
    for (let i = 0; i < 20; i++) {
      const runtimeDir = await bench.runtimeDir()
      const logPath = join(runtimeDir, 'log')
      const message = encodeStart(
        minimalProgram(bench, {
          runtimeDir,
          args: ['echo', 'done'],
          log: { path: logPath },
          expectAttach: 1,
        }),
      )
      const socket = connect(join(bench.dir, 'spawner.sock'))
      await new Promise<void>((resolve) => socket.write(message, () => resolve()))
      await new Promise((resolve) => setTimeout(resolve, i / 5))
      socket.destroy()
      await until(() => existsSync(join(runtimeDir, 'exit')))
      assert.equal((await readExitRecord(runtimeDir))?.exitCode, 0)
      assert.equal(parseLog(await readFile(logPath, 'utf8'))[0]?.log, 'done\n')
    }
  })

  it('a peer that never reads its control frames does not stop anything', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sleep', '100'] }),
    )
    const deaf = connect(join(runtimeDir, 'shim.sock'))
    deaf.pause()
    deaf.on('error', () => undefined)
    const resize = Buffer.from('2100000000000008' + '0100000001000000', 'hex')
    deaf.write(Buffer.concat(Array.from({ length: 50_000 }, () => resize)))
    await connection.signal(9)
    assert.equal((await connection.exited).exitCode, 137)
    deaf.destroy()
  })

  it('a malformed frame closes that connection only', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sleep', '100'] }),
    )
    for (const frame of [
      'ff00000000000000',
      '20000000ffffffff',
      '2000000000000000',
      '2300000000000000',
    ]) {
      const socket = connect(join(runtimeDir, 'shim.sock'))
      socket.resume()
      socket.write(Buffer.from(frame, 'hex'))
      await new Promise((resolve) => socket.once('close', resolve))
    }
    await connection.signal(9)
    assert.equal((await connection.exited).exitCode, 137)
  })

  it('a killed spawner is started again', async () => {
    const log: string[] = []
    const socketPath = join(bench.dir, 'second.sock')
    await using spawner = await Spawner.start({
      socketPath,
      log: (line) => log.push(line),
      ...binary(),
    })
    const dir = await bench.runtimeDir()
    const connection = await spawner.run(
      minimalProgram(bench, { runtimeDir: dir, args: ['sleep', '100'] }),
    )
    const pid = Number((await spawnerOf(socketPath)).trim())
    process.kill(pid, 'SIGKILL')
    const other = await bench.runtimeDir()
    const next = await spawner.run(
      minimalProgram(bench, { runtimeDir: other, args: ['sh', '-c', 'exit 2'] }),
    )
    assert.equal((await next.exited).exitCode, 2)
    await connection.signal(9)
    assert.equal((await connection.exited).exitCode, 137)
    assert.equal(log.length, 1)
  })

  it('a runtime directory renamed by the daemon is left alone by a late shim', async () => {
    const runtimeDir = await bench.runtimeDir()
    const { rename, mkdir } = await import('node:fs/promises')
    // The shim cannot be stopped between open and bind from here; a path that changes meanwhile is the same to it.
    await rename(runtimeDir, `${runtimeDir}.gone`)
    await assert.rejects(bench.spawner.run(minimalProgram(bench, { runtimeDir, args: ['true'] })), {
      code: 'ENOENT',
    })
    await mkdir(runtimeDir)
  })

  it('a shim needs about 0.3 MB of private memory', async () => {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sh', '-c', 'echo x; sleep 100'] }),
    )
    const shim = (await readFile(join(runtimeDir, 'shim.pid'), 'utf8')).trim()
    await until(() => existsSync(join(bench.dir, 'log')))
    const rollup = await readFile(`/proc/${shim}/smaps_rollup`, 'utf8')
    const kib = (name: string): number =>
      Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(rollup)?.[1])
    const privateKib = kib('Private_Dirty') + kib('Private_Clean')
    await connection.signal(9)
    await connection.exited
    if (process.env['CTR_SHIM_BINARY'] === undefined)
      assert.ok(privateKib < 320, `${privateKib} KiB`)
  })
})

function binary(): { binary?: string } {
  const path = process.env['CTR_SHIM_BINARY']
  return path === undefined ? {} : { binary: path }
}

/** A process of its own that sends a start message, prints the pid of STARTED, and waits to be killed. */
function startStarter(dir: string, messagePath: string): ChildProcess {
  const script = `
    const { connect } = require('node:net'); const { readFileSync } = require('node:fs')
    const socket = connect(${JSON.stringify(join(dir, 'spawner.sock'))})
    socket.write(readFileSync(${JSON.stringify(messagePath)}))
    socket.once('data', (data) => console.log(data.readUInt32LE(8)))
    setInterval(() => {}, 1000)`
  return spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) =>
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim())),
  )
}

/** Pid of the spawner listening at the path: the shims have the same command line, but another parent. */
async function spawnerOf(socketPath: string): Promise<string> {
  const { readdir } = await import('node:fs/promises')
  for (const pid of await readdir('/proc')) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    if (command.includes(socketPath) && status.includes(`\nPPid:\t${process.pid}\n`)) return pid
  }
  throw new Error(`no spawner at ${socketPath}`)
}
