import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { requires, run, startDaemon, type TestDaemon } from '@ctr/testkit'

const skip = requires({ root: true, commands: ['setpriv'] })
let daemon: TestDaemon

before(async () => {
  if (skip !== false) return
  daemon = await startDaemon({ bridge: false })
})
after(() => daemon?.[Symbol.asyncDispose]())

describe('a daemon that was started just now', { skip }, () => {
  for (const args of [
    ['ps', '--quiet'],
    ['run', '--rm', '--network', 'none', 'busybox', 'true'],
  ]) {
    it(`is waited for: ctrd & ctr ${args.join(' ')}`, async () => {
      await daemon.stop()
      const starting = daemon.restart()
      const { code, stdout, stderr } = await daemon.ctr(args)
      await starting
      assert.deepEqual([code, stdout, stderr], [0, '', ''])
    })
  }

  it('is waited for where a killed one has left its socket', async () => {
    await daemon.kill9()
    const starting = daemon.restart()
    const { code, stderr } = await daemon.ctr(['ps', '--quiet'])
    await starting
    assert.deepEqual([code, stderr], [0, ''])
  })

  it('is not waited for when it has ended', async () => {
    const directory = mkdtempSync('/tmp/ctr-starting-')
    try {
      const [program, socket] = [join(directory, 'ctrd'), join(directory, 's')]
      writeFileSync(program, '#!/bin/sh\nsleep 0.3\n', { mode: 0o755 })
      const script = '"$1" -H "unix://$2" & shift 2; exec "$@"'
      const client = [...daemon.cli, '-H', `unix://${socket}`, 'ps']
      const { code, stderr } = await run(['sh', '-c', script, 'sh', program, socket, ...client])
      assert.equal(code, 1)
      assert.match(stderr, /^Cannot connect to the ctr daemon at unix:\/\/\/tmp\/ctr-starting-/)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('somebody whom the socket does not let in', { skip }, () => {
  async function asNobody(): Promise<{ code: number; stderr: string }> {
    chmodSync(daemon.root, 0o755)
    const { code, stderr } = await run(
      ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...daemon.cli, 'ps'],
      { env: daemon.clientEnvironment },
    )
    return { code, stderr }
  }

  it('is told to become root', async () => {
    assert.deepEqual(await asNobody(), {
      code: 1,
      stderr: `permission denied while trying to connect to the ctr daemon at unix://${daemon.socketPath}. Become root, or: sudo ctr …\n`,
    })
  })

  it('is told the group of the socket', async () => {
    const [name, , gid] =
      readFileSync('/etc/group', 'utf8')
        .split('\n')
        .map((line) => line.split(':'))
        .find(([, , id]) => id !== '0') ?? []
    chownSync(daemon.socketPath, 0, Number(gid))
    const { code, stderr } = await asNobody()
    assert.equal(code, 1)
    assert.match(
      stderr,
      new RegExp(`group ${name} and log in again: usermod -aG ${name} \\$USER\n$`),
    )
  })
})
