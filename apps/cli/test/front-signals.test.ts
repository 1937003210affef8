import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'
import { CLIENT, FRONT, repository } from './programs.ts'

const skip = requires({ root: true, files: [FRONT, CLIENT] })

const RUN = ['run', '--rm', '--network', 'none']
let daemon: TestDaemon

before(async () => {
  if (skip !== false) return
  daemon = await startDaemon({ bridge: false })
  await daemon.ok(['run', '-d', '--name', 'box', '--network', 'none', 'busybox', 'sleep', '1000'])
})
after(async () => {
  if (skip === false) await daemon[Symbol.asyncDispose]()
})

function environment(): Record<string, string> {
  return { CTR_HOST: `unix://${daemon.socketPath}`, HOME: '/nonexistent' }
}

describe('signals to a command that the daemon does', { skip }, () => {
  it('are the container’s, each once and in their order', async () => {
    const script =
      'for s in HUP INT USR1 TERM; do trap "echo $s" $s; done; trap "echo USR2; exit 5" USR2; echo ready; while :; do sleep 0.01; done'
    const client = spawn(FRONT, [...RUN, 'busybox', 'sh', '-c', script], { env: environment() })
    const closed = once(client, 'close')
    let output = ''
    client.stdout.on('data', (chunk) => (output += chunk))
    await waitFor('the container is ready', () => output === 'ready\n')
    for (const name of ['TERM', 'USR1', 'INT', 'HUP', 'USR2'] as const) {
      client.kill(`SIG${name}`)
      await waitFor(name, () => output.endsWith(`${name}\n`))
    }
    assert.deepEqual(await closed, [5, null])
    assert.equal(output, 'ready\nTERM\nUSR1\nINT\nHUP\nUSR2\n')
  })

  for (const program of [FRONT, CLIENT]) {
    it(`end ${program.slice(repository.length + 1)} when it is asked three times, and the container goes on`, async () => {
      const args = ['run', '--name', 'deaf', '--network', 'none', 'busybox', 'sh', '-c']
      const script = 'trap "echo INT" INT; trap "" TERM; echo ready; while :; do sleep 0.01; done'
      const client = spawn(program, [...args, script], { env: environment() })
      const closed = once(client, 'close')
      let output = ''
      let errors = ''
      client.stdout.on('data', (chunk) => (output += chunk))
      client.stderr.on('data', (chunk) => (errors += chunk))
      await waitFor('the container is ready', () => output === 'ready\n')
      for (const lines of ['ready\nINT\n', 'ready\nINT\nINT\n']) {
        client.kill('SIGINT')
        await waitFor('INT', () => output === lines)
      }
      client.kill('SIGTERM')
      assert.deepEqual(await closed, [1, null])
      assert.equal(errors, '\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n')
      assert.equal(await daemon.ok(['inspect', '-f', '{{.State.Status}}', 'deaf']), 'running')
      await daemon.ok(['rm', '-f', 'deaf'])
    })
  }

  it('end the client without --sig-proxy, and the container goes on', async () => {
    const args = ['run', '--name', 'apart', '--sig-proxy=false', '--network', 'none', 'busybox']
    const client = spawn(FRONT, [...args, 'sh', '-c', 'echo ready; sleep 1000'], {
      env: environment(),
    })
    await once(client.stdout, 'data')
    client.kill('SIGINT')
    assert.deepEqual(await once(client, 'close'), [null, 'SIGINT'])
    assert.equal(await daemon.ok(['inspect', '-f', '{{.State.Status}}', 'apart']), 'running')
    await daemon.ok(['rm', '-f', 'apart'])
  })

  it('end the client that may open no descriptor to read them from', async () => {
    const args = ['--nofile=4', FRONT, 'run', '--rm', '--name', 'few', '--network', 'none']
    const client = spawn('prlimit', [...args, 'busybox', 'sh', '-c', 'echo ready; sleep 1000'], {
      env: environment(),
    })
    await once(client.stdout, 'data')
    client.kill('SIGTERM')
    assert.deepEqual(await once(client, 'close'), [null, 'SIGTERM'])
    await daemon.ok(['rm', '-f', 'few'])
  })

  it('end the client of an exec, and with it the exec', async () => {
    const args = ['exec', 'box', 'sh', '-c', 'echo ready; exec sleep 4711']
    const client = spawn(FRONT, args, { env: environment() })
    await once(client.stdout, 'data')
    client.kill('SIGTERM')
    assert.deepEqual(await once(client, 'close'), [null, 'SIGTERM'])
    await waitFor(
      'the exec has ended',
      async () => !(await daemon.ok(['top', 'box', '-o', 'pid,args'])).includes('4711'),
    )
  })
})
