import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { busyboxArchive, requires, Session, startDaemon, type TestDaemon } from '@ctr/testkit'

/** What only people see: with a terminal there are hints and progress, without one there is what docker prints. */
const skip = requires({ root: true })
const TTY = { rows: 30, columns: 100 }
let daemon: TestDaemon

before(async () => {
  if (skip !== false) return
  daemon = await startDaemon({ bridge: false })
  await daemon.ok(['create', '--name', 'website', '--network', 'none', 'busybox'])
  await daemon.ok(['volume', 'create', 'database'])
})
after(() => daemon?.[Symbol.asyncDispose]())

describe('a name that is not known', { skip }, () => {
  const CASES = [
    [['rm', 'webiste'], 'Did you mean website?'],
    [['logs', 'webiste'], 'Did you mean website?'],
    [['start', 'webiste'], 'Did you mean website?'],
    [['rename', 'webiste', 'x'], 'Did you mean website?'],
    [['exec', 'webiste', 'sh'], 'Did you mean website?'],
    [['inspect', 'webiste'], 'Did you mean website?'],
    [['inspect', 'databse'], 'Did you mean database?'],
    [['container', 'inspect', 'webiste'], 'Did you mean website?'],
    [['volume', 'inspect', 'databse'], 'Did you mean database?'],
    [['history', 'busybx'], 'Did you mean busybox?'],
    [['volume', 'rm', 'databse'], 'Did you mean database?'],
    [['network', 'rm', 'hots'], 'Did you mean host?'],
  ] as const
  for (const [args, hint] of CASES) {
    it(`is guessed on a terminal: ${args.join(' ')}`, async () => {
      await using session = daemon.session(args, { tty: TTY })
      await session.waitFor(hint)
      assert.equal(await session.exited, 1)
    })
    it(`is not without: ${args.join(' ')}`, async () => {
      const { code, stderr } = await daemon.ctr(args)
      assert.equal(code, 1)
      assert.doesNotMatch(stderr, /Did you mean/)
    })
  }
})

describe('what takes more than a second', { skip }, () => {
  /** A pipe that gives what is to be imported only when the test says so. */
  function slowArchive(name: string): { path: string; begin: () => (rest: Buffer) => void } {
    const path = `${daemon.root}/${name}`
    execFileSync('mkfifo', [path])
    return {
      path,
      begin: () => {
        const pipe = createWriteStream(path)
        return (rest) => pipe.end(rest)
      },
    }
  }

  it('shows on a terminal that it goes on, and leaves nothing there', async () => {
    const slow = slowArchive('slow.tar')
    await using session = new Session(
      ['sh', '-c', `${daemon.cli.join(' ')} import - slow:1 <${slow.path}`],
      { tty: TTY, env: { ...daemon.clientEnvironment } },
    )
    const finish = slow.begin()
    await session.waitFor('Importing…')
    finish(busyboxArchive('busybox:latest'))
    await session.waitFor('\u001b[2K\rsha256:')
    assert.equal(await session.exited, 0)
  })
})

describe('NO_COLOR', { skip }, () => {
  /** ECMA-48 Select Graphic Rendition: CSI … m. */
  const COLOUR = new RegExp(`${String.fromCharCode(0x1b)}\\[[\\d;]*m`)
  for (const args of [['--help'], ['images', '--tree'], ['ps', '-a'], ['info'], ['inspect', 'x']]) {
    it(`${args.join(' ')} has no colours on a terminal`, async () => {
      await using session = daemon.session(args, {
        tty: TTY,
        env: { NO_COLOR: '1' },
      })
      await session.exited
      assert.doesNotMatch(session.output, COLOUR)
      assert.notEqual(session.output, '')
    })
  }
})
