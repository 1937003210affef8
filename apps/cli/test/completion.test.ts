import assert from 'node:assert/strict'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { requires, run, Session, startDaemon, type TestDaemon } from '@ctr/testkit'

/** Completion with what the daemon has at this moment. */
const skip = requires({ root: true })
const repository = new URL('../../..', import.meta.url).pathname
const skipShell =
  skip || requires({ commands: ['bash', 'script'], files: [`${repository}bin/ctr`] })

describe('completion', () => {
  let ctrd: TestDaemon
  before(async () => {
    if (skip !== false) return
    ctrd = await startDaemon({ bridge: false })
    await ctrd.ok(['run', '-d', '--name', 'alive', '--network', 'none', 'busybox', 'sleep', '1000'])
    await ctrd.ok(['create', '--name', 'asleep', 'busybox'])
    await ctrd.ok(['volume', 'create', 'vessel'])
  })
  after(async () => {
    await ctrd?.[Symbol.asyncDispose]()
  })

  async function words(...typed: string[]): Promise<string[]> {
    const text = await ctrd.ok(['__complete', '--', ...typed])
    return text.split('\n').map((line) => line.split('\t')[0] ?? '')
  }

  it('knows commands, groups and options', { skip }, async () => {
    assert.deepEqual(await words('ru'), ['run', ':words'])
    assert.deepEqual(await words('context', 'us'), ['use', ':words'])
    assert.deepEqual(await words('run', '--memory-s'), [
      '--memory-swap',
      '--memory-swappiness',
      ':words',
    ])
    assert.equal((await words('')).includes('__complete'), false)
  })

  it('knows what runs, what does not, and what else there is', { skip }, async () => {
    assert.deepEqual(await words('stop', ''), ['alive', ':words'])
    assert.deepEqual(await words('start', ''), ['asleep', ':words'])
    assert.deepEqual((await words('rm', 'a')).toSorted(), [':words', 'alive', 'asleep'])
    assert.deepEqual(await words('volume', 'rm', ''), ['vessel', ':words'])
    assert.deepEqual(await words('run', '-it', '-v', 've'), ['vessel', ':words'])
    assert.deepEqual(await words('run', '--rm', 'bus'), ['busybox', 'busybox:latest', ':words'])
    assert.deepEqual(await words('run', '--network', 'ho'), ['host', ':words'])
  })

  it('leaves the arguments of a container to the shell, and values it does not know', {
    skip,
  }, async () => {
    assert.deepEqual(await words('run', 'busybox', '--na'), [':files'])
    assert.deepEqual(await words('run', '--name', ''), [':words'])
    assert.deepEqual(await words('run', '--pull=mi'), ['--pull=missing', ':words'])
    assert.deepEqual(await words('-H', 'unix:///nowhere', 'rm', ''), [':words'])
  })

  it('works in bash', { skip: skipShell }, async () => {
    const bin = `${ctrd.root}/bin`
    mkdirSync(bin)
    symlinkSync(ctrd.cli[0] ?? '', `${bin}/ctr`)
    const env = { ...ctrd.clientEnvironment, PATH: `${bin}:${process.env['PATH']}`, PS1: 'ready> ' }
    const tty = { rows: 24, columns: 80 }
    await using shell = new Session(['bash', '--norc', '--noprofile', '-i'], { env, tty })
    await shell.waitFor('ready> ')
    shell.write('source <(ctr completion bash); echo sourced\n')
    await shell.waitFor(/[\r\n]sourced/)
    shell.write('echo X; ctr kill al\t\n')
    await shell.waitFor('ctr kill alive')
    await shell.waitFor(/[\r\n]alive\r?\n/)
    shell.write('exit\n')
    assert.equal(await ctrd.ok(['ps', '-q']), '')
  })

  it('is a script that the shell can read', { skip }, async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const input = await ctrd.ok(['completion', shell])
      const installed = (process.env['PATH'] ?? '')
        .split(':')
        .some((path) => existsSync(`${path}/${shell}`))
      if (!installed) continue
      const script = `${ctrd.root}/completion.${shell}`
      writeFileSync(script, input)
      const { code, stderr } = await run([shell, '-n', script])
      assert.equal(code, 0, `${shell}: ${stderr}`)
    }
    const { code, stderr } = await ctrd.ctr(['completion', 'tcsh'])
    assert.equal(code, 1)
    assert.match(stderr, /there are bash, zsh, fish/)
  })
})
