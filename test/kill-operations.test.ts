import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  findTestCriu,
  NO_CRIU,
  requires,
  startDaemon,
  startRegistry,
  type TestDaemon,
  type TestRegistry,
  waitFor,
} from '@ctr/testkit'
import { status } from './daemon-fixture.ts'

const skip = requires({ root: true, commands: ['docker-registry'] })
const criu = findTestCriu()
const noCriu = skip || (criu === undefined ? NO_CRIU : false)
const MOMENTS = Number(process.env['CTR_TEST_MOMENTS'] ?? 3)

/** What is begun, killed with ctrd at some moment, begun once more, and taken back. */
interface Operation {
  readonly args: readonly string[]
  /** After a kill, where it may have been done or not: what is needed to begin once more. */
  readonly prepare?: () => Promise<void>
  /** Makes it as if it had not been begun. */
  readonly undo: () => Promise<void>
}

/** Some layers with many files, and bytes that cannot be compressed: each step of an operation takes a while. */
const FILES =
  'mkdir /d; i=0; while [ $i -lt 400 ]; do echo $i >/d/$i; i=$((i+1)); done; head -c 8000000 /dev/urandom >/r'

describe('kill -9 in the midst of', { skip, timeout: 600_000 }, () => {
  let daemon: TestDaemon
  let registry: TestRegistry
  let image = ''
  let archive = ''
  let context = ''
  before(async () => {
    daemon = await startDaemon({
      bridge: false,
      args: criu === undefined ? [] : ['--criu-path', criu],
    })
    registry = await startRegistry()
    image = `${registry.address}/killed-${process.pid}/app:1`
    archive = join(daemon.root, 'app.tar')
    context = join(daemon.root, 'context')
    mkdirSync(context)
    const steps = `FROM busybox\nRUN ${FILES}\nCOPY large /\nRUN cp -r /d /e\n`
    writeFileSync(join(context, 'Dockerfile'), steps)
    writeFileSync(join(context, 'large'), Buffer.alloc(4 << 20, 'x'))
    await daemon.ok(['build', '-t', image, context])
    await daemon.ok(['push', image])
    await daemon.ok(['save', '-o', archive, image])
    await daemon.ok(['run', '--name', 'full', 'busybox', 'sh', '-c', FILES])
    await daemon.ok(['rmi', image])
  })
  after(async () => {
    await registry?.[Symbol.asyncDispose]()
    await daemon?.[Symbol.asyncDispose]()
  })

  async function quiet(...args: readonly string[]): Promise<void> {
    const { code, stderr } = await daemon.ctr(args)
    if (code !== 0) assert.match(stderr, /No such image|not found|does not exist/i)
  }

  /** What an operation could leave. What is being removed in the background is waited for. */
  function files(): string[] {
    const below = (path: string): string[] => readdirSync(path).map((name) => `${path}/${name}`)
    const { dataRoot, execRoot } = daemon
    return [
      ...below(`${dataRoot}/tmp`).filter((path) => !path.endsWith('/spread')),
      ...['snapshots', 'content/blobs/sha256', 'content/ingest', 'containers', 'volumes'].flatMap(
        (name) => below(`${dataRoot}/${name}`),
      ),
      ...['c', 'x'].flatMap((name) => below(`${execRoot}/${name}`)),
    ].sort()
  }

  async function settled(expected: readonly string[]): Promise<void> {
    let found: string[] = []
    await waitFor(
      'the end of removals',
      () => {
        found = files()
        return found.join() === expected.join()
      },
      20_000,
    ).catch(() => assert.deepEqual(found, expected))
  }

  async function survives({ args, undo, prepare }: Operation): Promise<void> {
    const isClean = (): boolean =>
      !files().some((path) => path.startsWith(`${daemon.dataRoot}/tmp/`))
    await waitFor('the end of removals', isClean)
    const before = files()
    const beganMs = performance.now()
    await daemon.ok(args)
    const takesMs = performance.now() - beganMs
    await undo()
    await settled(before)
    for (let moment = 0; moment < MOMENTS; moment++) {
      const atMs = (takesMs * randomInt(1000)) / 1000
      const working = daemon.ctr(args)
      await delay(atMs)
      await daemon.kill9()
      const { code } = await working
      await daemon.restart()
      assert.equal(await status(daemon, 'full'), 'exited 0')
      const said = `killed after ${Math.round(atMs)} of ${Math.round(takesMs)} ms, the client ended with ${code}`
      try {
        await prepare?.()
        await daemon.ok(args)
        await undo()
        await settled(before)
      } catch (error) {
        throw new Error(`${said}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  test('a pull leaves nothing, and the next one brings the image', async () => {
    await survives({
      args: ['pull', image],
      async undo() {
        assert.match(await daemon.ok(['run', '--rm', image, 'ls', '/e']), /^0\n1\n10\n/)
        await quiet('rmi', image)
      },
    })
  })

  test('a push leaves nothing, and the next one is complete', async () => {
    await daemon.ok(['load', '-i', archive])
    await survives({
      args: ['push', image],
      undo: async () => {
        await daemon.ok(['pull', image])
      },
    })
    await daemon.ok(['rmi', image])
  })

  test('a load leaves nothing, and the next one brings the image', async () => {
    await survives({
      args: ['load', '-i', archive],
      undo: () => quiet('rmi', image),
    })
  })

  test('a commit leaves nothing, and the next one makes the image', async () => {
    await survives({
      args: ['commit', 'full', 'committed'],
      async undo() {
        assert.match(await daemon.ok(['run', '--rm', 'committed', 'ls', '/d']), /^0\n1\n10\n/)
        await quiet('rmi', 'committed')
        // Of one that was done before the kill, which has lost its name to the next one.
        await daemon.ok(['image', 'prune', '-f'])
      },
    })
  })

  test('a build leaves nothing, and the next one makes the image', async () => {
    await survives({
      args: ['build', '--no-cache', '-t', 'built', context],
      async undo() {
        await quiet('rmi', 'built')
        await daemon.ok(['image', 'prune', '-f'])
      },
    })
    assert.equal(await daemon.ok(['ps', '-aq']), await daemon.ok(['ps', '-aq', '-f', 'name=full']))
  })

  test('a checkpoint loses no container, and the next one is complete', {
    skip: noCriu,
  }, async () => {
    await daemon.ok(['run', '-d', '--name', 'it', 'busybox', 'sleep', '1000'])
    const undo = async (): Promise<void> => {
      await quiet('checkpoint', 'rm', 'it', 'kept')
      if ((await status(daemon, 'it')) !== 'running 0') await daemon.ok(['start', 'it'])
    }
    await survives({ args: ['checkpoint', 'create', 'it', 'kept'], prepare: undo, undo })
    await daemon.ok(['rm', '-f', 'it'])
  })

  test('a start from a checkpoint loses nothing, and the next one goes on', {
    skip: noCriu,
  }, async () => {
    await daemon.ok(['run', '-d', '--name', 'it', 'busybox', 'sleep', '1000'])
    await daemon.ok(['checkpoint', 'create', 'it', 'kept'])
    const undo = async (): Promise<void> => {
      await daemon.ok(['stop', '-t', '0', 'it'])
    }
    await survives({ args: ['start', '--checkpoint', 'kept', 'it'], prepare: undo, undo })
    await daemon.ok(['rm', '-f', 'it'])
  })
})
