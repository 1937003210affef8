import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { requires, waitFor } from '@ctr/testkit'
import { checkResult, useDaemon } from './daemon-fixture.ts'

// docs/decisions/0018-execs-end-with-their-client.md
const skip = requires({ root: true })
const needsDocker = requires({ root: true, commands: ['docker'] })
const ctrd = useDaemon({ bridge: false })
const terminal = { rows: 24, columns: 80 }

async function sleeper(name: string): Promise<void> {
  await ctrd().ok(['run', '-d', '--name', name, 'busybox', 'sleep', '300'])
}

/** `command` of each running exec, the newest first. */
async function running(...args: readonly string[]): Promise<string[]> {
  const format = ['--no-trunc', '--format', '{{.Command}}']
  const text = await ctrd().ok(['exec', 'ls', ...format, ...args])
  return text === '' ? [] : text.split('\n')
}

/** Id and pid of the only exec, once it runs. */
async function theExec(): Promise<{ id: string; pid: number }> {
  let line = ''
  await waitFor('an exec', async () => {
    line = await ctrd().ok(['exec', 'ls', '--no-trunc', '--format', '{{.ID}} {{.Pid}}'])
    return line !== ''
  })
  const [id = '', pid = ''] = line.split(' ')
  return { id, pid: Number(pid) }
}

test('ls shows what runs, with -a also what has ended', { skip }, async () => {
  await sleeper('one')
  await sleeper('two')
  await ctrd().ok(['exec', '-d', 'one', 'sleep', '301'])
  await ctrd().ok(['exec', '-d', 'two', 'sleep', '302'])
  checkResult({ code: 9 }, await ctrd().ctr(['exec', 'two', 'sh', '-c', 'exit 9']))
  assert.deepEqual(await running(), ['"sleep 302"', '"sleep 301"'])
  assert.deepEqual(await running('one'), ['"sleep 301"'])
  const all = await ctrd().ok(['exec', 'ls', '-a', '--format', '{{.Status}} {{.Container}}', 'two'])
  assert.equal(all, 'Exited (9) two\nRunning two')
  const unknown = await ctrd().ctr(['exec', 'ls', 'nope'])
  checkResult({ code: 1, stderr: /No such container: nope/ }, unknown)
})

test('a container named ls is still a container', { skip: needsDocker }, async () => {
  await sleeper('ls')
  assert.equal(await ctrd().ok(['exec', 'ls', 'echo', 'inside']), 'inside')
  assert.match(await ctrd().ok(['exec', 'ls', '-a']), /echo inside/)
  const docker = await ctrd().docker(['exec', 'ls', 'echo', 'inside'])
  checkResult({ code: 0, stdout: 'inside\n' }, docker)
})

test('kill sends a signal, and the code is known', { skip }, async () => {
  await sleeper('one')
  await ctrd().ok(['exec', '-d', 'one', 'sleep', '301'])
  const { id } = await theExec()
  assert.equal(await ctrd().ok(['exec', 'kill', '-s', 'TERM', id.slice(0, 12)]), id.slice(0, 12))
  await waitFor('the end', async () => (await running()).length === 0)
  assert.equal(await ctrd().ok(['exec', 'ls', '-a', '--format', '{{.Status}}']), 'Exited (143)')
  const again = await ctrd().ctr(['exec', 'kill', id])
  checkResult({ code: 1, stderr: /is not running/ }, again)
})

test('a terminal can be left and joined again, also after a restart of the daemon', {
  skip,
}, async () => {
  await sleeper('one')
  const first = ctrd().session(['exec', '-it', 'one', 'sh'], { tty: terminal })
  // Before its prompt the terminal is not raw, and Ctrl-Q would not arrive.
  await first.waitFor('# ')
  first.write('A=kept\n')
  await first.waitFor(/A=kept[^]*# /)
  first.write('\u0010\u0011')
  assert.equal(await first.exited, 1)
  const { id } = await theExec()
  await ctrd().restart()
  const second = ctrd().session(['exec', 'attach', id.slice(0, 12)], { tty: terminal })
  await waitFor('the shell again', () => {
    second.write('echo "is $A"\n')
    return second.output.includes('is kept')
  })
  second.write('exit 7\n')
  assert.equal(await second.exited, 7)
})

test('a command is hung up when its client dies, with what it has started', { skip }, async () => {
  await sleeper('one')
  const script = 'trap "" HUP; sleep 301 & exec sleep 302'
  const client = ctrd().session(['exec', 'one', 'sh', '-c', script])
  const { pid } = await theExec()
  client.kill('SIGKILL')
  // It ignores the hang-up: what is left is killed.
  await waitFor('the end of the command', () => !existsSync(`/proc/${pid}`))
  await waitFor('the end of its child', async () => {
    return !(await ctrd().ok(['top', 'one'])).includes('sleep 301')
  })
  assert.deepEqual(await running(), [])
})

test('a shell ends when its terminal is torn away', { skip }, async () => {
  await sleeper('one')
  const client = ctrd().session(['exec', '-it', 'one', 'sh'], { tty: terminal })
  const { pid } = await theExec()
  client.kill('SIGKILL')
  await waitFor('the end of the shell', () => !existsSync(`/proc/${pid}`))
})

test('Ctrl-C at the client ends the command, --keep lets it go on', { skip }, async () => {
  await sleeper('one')
  const kept = ctrd().session(['exec', '--keep', 'one', 'sleep', '301'])
  await theExec()
  const held = ctrd().session(['exec', 'one', 'sleep', '302'])
  await waitFor('both', async () => (await running()).length === 2)
  kept.kill('SIGINT')
  held.kill('SIGINT')
  await waitFor('one', async () => (await running()).length === 1)
  assert.deepEqual(await running(), ['"sleep 301"'])
})

test('for Docker’s client a command goes on, as with Docker', { skip: needsDocker }, async () => {
  await sleeper('one')
  const client = ctrd().dockerSession(['exec', 'one', 'sleep', '301'])
  await theExec()
  client.kill('SIGKILL')
  await client.exited
  await ctrd().ok(['exec', 'one', 'true'])
  assert.deepEqual(await running(), ['"sleep 301"'])
})
