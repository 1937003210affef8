import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { requires, Session, startDaemon, type TestDaemon } from '@ctr/testkit'

requires({ root: true })

const TTY = { rows: 33, columns: 99 }
let daemon: TestDaemon

before(async () => {
  daemon = await startDaemon({ bridge: false })
  await daemon.ok(['run', '-d', '--name', 'box', '--network', 'none', 'busybox', 'sleep', '1000'])
})
after(() => daemon[Symbol.asyncDispose]())

/** A shell on a terminal of its own, so that the state of the terminal can be asked after the CLI has gone. */
function shell(): Session {
  return new Session(['sh'], { tty: TTY, env: { ...daemon.clientEnvironment, PS1: '# ' } })
}

const quoted = (args: readonly string[]): string =>
  [...daemon.cli, ...args].map((arg) => `'${arg}'`).join(' ')

describe('a terminal', () => {
  it('has its size before the command runs and follows the window', async () => {
    await using session = daemon.session(
      // A size and a key go different ways: it looks until the new size is there.
      ['exec', '-it', 'box', 'sh', '-c', 'while :; do stty size; sleep 0.1; done'],
      { tty: TTY },
    )
    await session.waitFor('33 99')
    await session.resize(20, 50)
    await session.waitFor('20 50')
    session.write('\x03')
    assert.equal(await session.exited, 130)
  })

  it('passes output unchanged in raw mode and is given back', async () => {
    await using session = shell()
    session.write(
      `${quoted(['exec', '-it', 'box', 'sh', '-c', 'stty -onlcr; echo one; echo two; exit 3'])}; echo rc=$?; stty -a\n`,
    )
    await session.waitFor(/one\ntwo\n/)
    await session.waitFor('rc=3')
    await session.waitFor(/ icanon[^]* echo /)
    session.write('exit\n')
    await session.exited
  })

  for (const [signal, code] of [
    ['TERM', 143],
    ['HUP', 129],
    ['INT', 130],
    ['QUIT', 131],
  ] as const) {
    it(`is given back after SIG${signal}`, async () => {
      await using session = shell()
      const ready = `ready-${signal}`
      // The signal comes from inside: from a process that waits for the words on the screen.
      session.write(
        `${quoted(['exec', '-it', 'box', 'sh', '-c', `echo re""ady-${signal}; exec sleep 1000`])} ; echo rc=$?; stty -a\n`,
      )
      await session.waitFor(ready)
      const pid = await clientPid(`ady-${signal}`)
      process.kill(pid, `SIG${signal}`)
      await session.waitFor(`rc=${code}`)
      await session.waitFor(/ icanon[^]* echo /)
      session.write('exit\n')
      await session.exited
    })
  }

  it('is left with Ctrl-P Ctrl-Q while the container goes on', async () => {
    await using session = daemon.session(
      ['run', '-it', '--name', 'left', '--network', 'none', 'busybox'],
      { tty: TTY },
    )
    await session.waitFor('/ #')
    session.write('\x10\x11')
    assert.equal(await session.exited, 0)
    assert.equal(await daemon.ok(['inspect', '-f', '{{.State.Running}}', 'left']), 'true')
    await using again = daemon.session(['attach', 'left'], { tty: TTY })
    again.write('\n')
    await again.waitFor('/ #')
    again.write('exit 4\n')
    assert.equal(await again.exited, 4)
    await daemon.ok(['rm', 'left'])
  })

  it('turns Ctrl-C into a byte for the container', async () => {
    const script = 'trap "echo caught; exit 7" INT; echo ready; while :; do sleep 0.1; done'
    await using session = daemon.session(
      ['run', '--rm', '-it', '--network', 'none', 'busybox', 'sh', '-c', script],
      { tty: TTY },
    )
    await session.waitFor('ready\r\n')
    session.write('\x03')
    assert.equal(await session.exited, 7)
    assert.match(session.output, /caught/)
  })
})

describe('signals without a terminal', () => {
  it('go to the container', async () => {
    const script = 'trap "echo caught; exit 42" USR1; echo ready; while :; do sleep 0.1; done'
    await using session = daemon.session([
      'run',
      '--rm',
      '--network',
      'none',
      'busybox',
      'sh',
      '-c',
      script,
    ])
    await session.waitFor('ready')
    session.kill('SIGUSR1')
    assert.equal(await session.exited, 42)
    assert.match(session.output, /caught/)
  })
})

describe('pipes', () => {
  it('carry any bytes both ways', async () => {
    const input = Buffer.from(Array.from({ length: 5_000_000 }, (_, index) => (index * 7919) % 256))
    const sum = await daemon.ok(['run', '-i', '--rm', '--network', 'none', 'busybox', 'md5sum'], {
      input,
    })
    const { createHash } = await import('node:crypto')
    assert.equal(sum, `${createHash('md5').update(input).digest('hex')}  -`)
  })

  it('end at the reader’s end-of-file', async () => {
    const { code, stdout } = await daemon.ctr(
      ['run', '-i', '--rm', '--network', 'none', 'busybox', 'sh', '-c', 'cat; echo end'],
      {
        input: Buffer.from('a\n'),
      },
    )
    assert.deepEqual([code, stdout], [0, 'a\nend\n'])
  })

  it('that nobody reads end the client quietly', async () => {
    await using session = new Session(['sh', '-c', `${quoted(['exec', 'box', 'yes'])} | head -1`], {
      env: daemon.clientEnvironment,
    })
    assert.equal(await session.exited, 0)
    assert.equal(session.output, 'y\n')
  })

  it('keep stdout and stderr apart', async () => {
    const { stdout, stderr } = await daemon.ctr([
      'exec',
      'box',
      'sh',
      '-c',
      'echo out; echo err >&2',
    ])
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n'])
  })
})

/** The CLI whose arguments hold this text; the shell and script(1) around it do not exec it. */
async function clientPid(text: string): Promise<number> {
  const { readdirSync, readFileSync } = await import('node:fs')
  const cli = daemon.cli.at(-1) ?? ''
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    let argv: string[]
    try {
      argv = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
    } catch {
      continue
    }
    if (argv.includes(cli) && argv.some((arg) => arg.includes(text)) && argv[0] !== 'sh')
      return Number(name)
  }
  throw new Error(`no client runs with ${text}`)
}
