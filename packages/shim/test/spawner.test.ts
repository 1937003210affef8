import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, watch } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Spawner } from '../src/index.ts'
import type { Op } from '../src/ops.ts'
import { limitDescriptors, untilItSleeps } from './descriptors.ts'
import { Bench, minimalProgram, NAMESPACES } from './minimal-program.ts'
import { until } from './until.ts'

const CLONE_NEWNET = 0x40000000n
const CLONE_NEWPID = 0x20000000n

/** Requires root: namespaces, mounts. */
describe('a spawner', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  it('that is killed again and again makes no start fail', async () => {
    const socketPath = join(bench.dir, 'killed.sock')
    await using spawner = await Spawner.start({ socketPath, ...binary() })
    for (let round = 0; round < 10; round++) {
      const pid = await spawnerOf(socketPath)
      const programs = await Promise.all(
        Array.from({ length: 16 }, async () =>
          minimalProgram(bench, {
            runtimeDir: await bench.runtimeDir(),
            args: ['sh', '-c', 'exit 0'],
          }),
        ),
      )
      const runs = programs.map(async (program) => await (await spawner.run(program)).exited)
      // Some are with their shim by now, some wait in the queue of the socket that is about to go.
      for (let turn = 0; turn < round; turn++) await new Promise(setImmediate)
      process.kill(pid, 'SIGKILL')
      const records = await Promise.all(runs)
      assert.deepEqual(
        records.map((record) => record.exitCode),
        records.map(() => 0),
      )
    }
  })

  it('has the shim of the next start ready after one, and does without it when that is killed', async () => {
    const socketPath = join(bench.dir, 'spare.sock')
    await using spawner = await Spawner.start({ socketPath, ...binary() })
    const pid = await spawnerOf(socketPath)
    const start = async (): Promise<number> => {
      const runtimeDir = await bench.runtimeDir()
      const program = minimalProgram(bench, { runtimeDir, args: ['sleep', '100'] })
      const connection = await spawner.run(program)
      const shim = Number(readFileSync(join(runtimeDir, 'shim.pid'), 'latin1'))
      await connection.signal(9)
      assert.equal((await connection.exited).exitCode, 137)
      await until(() => !isAlive(shim))
      return shim
    }
    await start()
    const spare = await onlyChild(pid)
    assert.equal(await start(), spare)
    const unused = await onlyChild(pid)
    process.kill(unused, 'SIGKILL')
    await until(() => !isAlive(unused))
    assert.notEqual(await start(), unused)
  })

  it('has the namespaces of the next start ready for a moment, and no shim lives in them', async () => {
    const socketPath = join(bench.dir, 'prepared.sock')
    await using spawner = await Spawner.start({ socketPath, ...binary() })
    const pid = await spawnerOf(socketPath)
    const start = async (namespaces: bigint): Promise<{ shim: string[]; child: string[] }> => {
      const runtimeDir = await bench.runtimeDir()
      const program = minimalProgram(bench, { runtimeDir, namespaces, args: ['sleep', '100'] })
      const connection = await spawner.run(program)
      const shim = Number(readFileSync(join(runtimeDir, 'shim.pid'), 'latin1'))
      const seen = { shim: namespacesOf(shim), child: namespacesOf(connection.pid) }
      assert.deepEqual(heldNamespaces(shim), [])
      await connection.signal(9)
      await connection.exited
      await until(() => !isAlive(shim)) // it is not to be taken for the next
      return seen
    }
    const home = namespacesOf(pid)
    await start(NAMESPACES)
    for (let round = 0; ; round++) {
      const spare = await onlyChild(pid)
      await untilPrepared(spare)
      const held = heldNamespaces(spare)
      const { shim, child } = await start(NAMESPACES)
      assert.deepEqual(shim, home)
      assert.ok(child.every((each) => !home.includes(each)))
      if (child.every((each) => held.includes(each))) break
      // On a busy machine more than their second may have passed.
      assert.ok(round < 20, 'they were never used')
    }
    await untilPrepared(await onlyChild(pid))
    assert.deepEqual((await start(NAMESPACES & ~CLONE_NEWNET)).child[0], home[0])
    assert.ok((await start(NAMESPACES)).child.every((each) => !home.includes(each)))
    const late = await onlyChild(pid)
    await untilPrepared(late)
    await until(() => heldNamespaces(late).length === 0)
    assert.deepEqual(namespacesOf(late), home)
    assert.ok((await start(NAMESPACES)).child.every((each) => !home.includes(each)))
  })

  it('has the loopback of the next start up, for a program that brings it up', async () => {
    const socketPath = join(bench.dir, 'loopback.sock')
    await using spawner = await Spawner.start({ socketPath, ...binary() })
    const pid = await spawnerOf(socketPath)
    const run = async (processOps: readonly Op[]): Promise<[isUp: boolean, net: string]> => {
      const runtimeDir = await bench.runtimeDir()
      const program = minimalProgram(bench, { runtimeDir, args: ['sleep', '100'], processOps })
      const connection = await spawner.run(program)
      const shim = Number(readFileSync(join(runtimeDir, 'shim.pid'), 'latin1'))
      const table = readFileSync(`/proc/${connection.pid}/net/fib_trie`, 'latin1')
      const [net] = namespacesOf(connection.pid)
      await connection.signal(9)
      await connection.exited
      await until(() => !isAlive(shim)) // it is not to be taken for the next
      return [table.includes('127.0.0.1'), net ?? '']
    }
    const start = async (
      processOps: readonly Op[],
    ): Promise<[isPrepared: boolean, isUp: boolean]> => {
      const spare = await onlyChild(pid)
      await untilPrepared(spare)
      const held = heldNamespaces(spare)
      const [isUp, net] = await run(processOps)
      return [held.includes(net), isUp]
    }
    const raise = linkMessage({ index: 1, flags: 1 })
    // Asks the same and does nothing: the name that it gives besides is none.
    const inVain: Op = { ...raise, message: withEmptyName(raise.message), optional: true }
    assert.equal((await run([raise]))[0], true)
    for (let round = 0; ; round++) {
      const [isPrepared, isUp] = await start([inVain])
      if (isPrepared) {
        assert.equal(isUp, true, 'up if it was made ahead')
        break
      }
      // On a busy machine more than their second may have passed, and others may have been made.
      assert.ok(round < 20, 'it was never used')
    }
    assert.deepEqual(await start([]), [false, false], 'not for a program that leaves it down')
    const [, isUp] = await start([raise])
    assert.equal(isUp, true, 'whoever brings it up')
  })

  it('without descriptors sleeps, and serves who has come when it has some again', async () => {
    const socketPath = join(bench.dir, 'descriptors.sock')
    await using spawner = await Spawner.start({ socketPath, ...binary() })
    const pid = await spawnerOf(socketPath)
    limitDescriptors(pid, 3)
    const runtimeDir = await bench.runtimeDir()
    const starting = spawner.run(minimalProgram(bench, { runtimeDir, args: ['sleep', '0'] }))
    await untilItSleeps(pid)
    limitDescriptors(pid, 1024)
    assert.equal((await (await starting).exited).exitCode, 0)
  })

  it('keeps no namespaces for a process that joins others, and makes what it needs from within these', async () => {
    const socketPath = join(bench.dir, 'joined.sock')
    await using spawner = await Spawner.start({ socketPath, ...binary() })
    const spawnerPid = await spawnerOf(socketPath)
    const start = async (hostOps: readonly Op[]): Promise<void> => {
      const runtimeDir = await bench.runtimeDir()
      const namespaces = NAMESPACES & ~CLONE_NEWPID
      const args = ['sleep', '100']
      const program = minimalProgram(bench, { runtimeDir, namespaces, args, hostOps })
      const connection = await spawner.run(program)
      const shim = Number(readFileSync(join(runtimeDir, 'shim.pid'), 'latin1'))
      assert.deepEqual(heldNamespaces(shim), [])
      const home = namespacesOf(spawnerPid)
      assert.ok(namespacesOf(connection.pid).every((each) => !home.includes(each)))
      await connection.signal(9)
      await connection.exited
      await until(() => !isAlive(shim))
    }
    await start([])
    for (let round = 0; round < 3; round++) {
      await untilPrepared(await onlyChild(spawnerPid))
      await start([
        { op: 'open', slot: 0, path: '/proc/self/ns/pid' },
        { op: 'clone_in', slot: 0, type: CLONE_NEWPID },
      ])
    }
  })

  it('that was stopped is replaced, and the start that waited for it succeeds', async () => {
    const socketPath = join(bench.dir, 'stopped.sock')
    const log: string[] = []
    await using spawner = await Spawner.start({
      socketPath,
      log: (line) => log.push(line),
      ...binary(),
    })
    process.kill(await spawnerOf(socketPath), 'SIGSTOP')
    const runtimeDir = await bench.runtimeDir()
    const connection = await spawner.run(
      minimalProgram(bench, { runtimeDir, args: ['sh', '-c', 'exit 0'] }),
    )
    assert.equal((await connection.exited).exitCode, 0)
    assert.match(log.join('\n'), /SIGKILL; starting it again/)
  })

  it('a spare shim that was stopped is ended, and the next start takes another', async () => {
    const socketPath = join(bench.dir, 'spare.sock')
    await using spawner = await Spawner.start({ socketPath, ...binary() })
    const spawnerPid = await spawnerOf(socketPath)
    const run = async (): Promise<void> => {
      const runtimeDir = await bench.runtimeDir()
      const program = minimalProgram(bench, { runtimeDir, args: ['sh', '-c', 'exit 3'] })
      assert.equal((await (await spawner.run(program)).exited).exitCode, 3)
    }
    await run()
    const spare = await spareOf(spawnerPid)
    process.kill(spare, 'SIGSTOP')
    const beganAtMs = performance.now()
    await run()
    // START_TIMEOUT_MS is 120 s, and a start may not be repeated after it.
    assert.ok(performance.now() - beganAtMs < 60_000)
    await until(() => !isAlive(spare))
    const next = await spareOf(spawnerPid)
    process.kill(next, 'SIGSTOP')
    process.kill(spawnerPid, 'SIGKILL')
    await until(() => !isAlive(next))
    await run()
  })

  it('a shim that was stopped in the middle of a start is ended, and the start fails', async () => {
    const makeTime: Op[] = Array.from({ length: 16_000 }, (_, n) => ({
      op: 'mkdir',
      path: `/dev/d${n}`,
      mode: 0o755,
      uid: 0,
      gid: 0,
    }))
    for (let round = 0; ; round++) {
      const runtimeDir = await bench.runtimeDir()
      const stopped = stopShimOf(runtimeDir)
      const args = ['sleep', '100']
      const program = minimalProgram(bench, { runtimeDir, args, rootOps: makeTime })
      const outcome: unknown = await bench.spawner.run(program).catch((error: unknown) => error)
      const pid = await stopped
      if (!(outcome instanceof Error)) {
        // On a busy machine it may be through with its work before it is stopped.
        assert.ok(round < 20, 'it was never caught')
        process.kill(pid, 'SIGKILL')
        continue
      }
      const message = /^the shim in run-\d+ \(process \d+, stopped\) has not answered for 5 s$/
      assert.match(outcome.message, message)
      assert.equal('code' in outcome ? outcome.code : '', 'ETIMEDOUT')
      const deadline = Date.now() + 120_000
      while (isAlive(pid) && Date.now() < deadline) await new Promise(setImmediate)
      assert.ok(!isAlive(pid), 'the shim lives on')
      rmSync(runtimeDir, { recursive: true })
      return
    }
  })
})

type Netlink = Extract<Op, { op: 'netlink' }>

/** RTM_NEWLINK: struct nlmsghdr, struct ifinfomsg. rtnetlink(7) */
function linkMessage({ index, flags }: { index: number; flags: number }): Netlink {
  const message = Buffer.alloc(32)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(16, 4)
  message.writeInt32LE(index, 20)
  message.writeUInt32LE(flags, 24)
  message.writeUInt32LE(1, 28)
  return { op: 'netlink', side: 'child', message, pid_offset: 0, ignore: 0 }
}

/** IFLA_IFNAME of no length: EINVAL. */
function withEmptyName(message: Uint8Array): Buffer {
  const longer = Buffer.concat([message, Buffer.from([4, 0, 3, 0])])
  longer.writeUInt32LE(longer.length, 0)
  return longer
}

function binary(): { binary?: string } {
  const path = process.env['CTR_SHIM_BINARY']
  return path === undefined ? {} : { binary: path }
}

/** As soon as a shim has said who it is. Resolves to its pid. */
function stopShimOf(runtimeDir: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const path = join(runtimeDir, 'shim.pid')
  const watcher = watch(runtimeDir, () => {
    if (!existsSync(path)) return
    const pid = Number(readFileSync(path, 'latin1'))
    if (pid === 0) return
    process.kill(pid, 'SIGSTOP')
    watcher.close()
    resolve(pid)
  })
  return promise
}

/** The network and the IPC namespace that a process is in. */
function namespacesOf(pid: number): string[] {
  return ['net', 'ipc'].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`))
}

/** Those that it has a descriptor of and is not in. */
function heldNamespaces(pid: number): string[] {
  const own = namespacesOf(pid)
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        return '' // closed meanwhile
      }
    })
    .filter((target) => /^(net|ipc):\[/.test(target) && !own.includes(target))
}

/** Or until it has been so on a busy machine. */
async function untilPrepared(spare: number): Promise<void> {
  const deadline = Date.now() + 3000
  await until(() => heldNamespaces(spare).length === 2 || Date.now() > deadline)
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

/** The shim that waits for the next program, when it does. */
async function spareOf(spawner: number): Promise<number> {
  let spare: string | undefined
  await until(() => {
    const children = readFileSync(`/proc/${spawner}/task/${spawner}/children`, 'latin1')
    spare = children
      .split(' ')
      .filter(Boolean)
      .find((pid) => nameOf(pid) === 'ctr-spare')
    return spare !== undefined
  })
  return Number(spare)
}

/** Empty if it has ended. */
function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'latin1').trim()
  } catch {
    return ''
  }
}

/** Of a process, as soon as it has one and no more. */
async function onlyChild(parent: number): Promise<number> {
  let children: string[] = []
  await until(() => {
    const text = readFileSync(`/proc/${parent}/task/${parent}/children`, 'latin1')
    children = text.split(' ').filter(Boolean)
    return children.length === 1
  })
  return Number(children[0])
}

/** The one that listens there, as soon as there is one. */
async function spawnerOf(socketPath: string): Promise<number> {
  const deadline = Date.now() + 120_000
  while (Date.now() < deadline) {
    for (const pid of await readdir('/proc')) {
      // The shims have the same command line, and in their first moment the same name, but another parent.
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
      if (command.includes(socketPath) && status.includes(`\nPPid:\t${process.pid}\n`)) {
        return Number(pid)
      }
    }
  }
  throw new Error(`no spawner at ${socketPath}`)
}
