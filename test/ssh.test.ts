import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { freePort, requires, run, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'

/** `ssh://` through a real sshd on loopback; `CTR_TEST_SSHD` names one that is not installed. */
const SSHD = process.env['CTR_TEST_SSHD'] ?? '/usr/sbin/sshd'
const skip = requires({
  root: true,
  commands: ['ssh', 'ssh-keygen', 'unshare', 'mount', 'docker'],
  files: [SSHD],
})

let daemon: TestDaemon
let sshd: ChildProcess | undefined
let environment: Record<string, string> = {}
before(async () => {
  if (skip !== false) return
  daemon = await startDaemon({ bridge: false })
  const port = await freePort()
  const directory = `${daemon.root}/ssh`
  mkdirSync(`${directory}/far`, { recursive: true })
  mkdirSync(`${directory}/near`)
  for (const key of ['host', 'user']) {
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', `${directory}/${key}`])
  }
  copyFileSync(`${directory}/user.pub`, `${directory}/authorized`)
  // The far side knows both clients by name, and the daemon by its environment.
  for (const name of ['ctr', 'docker']) {
    script(`${directory}/far/${name}`, `exec ${daemon.cli.join(' ')} "$@"`)
  }
  writeFileSync(
    `${directory}/sshd_config`,
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${directory}/host
AuthorizedKeysFile ${directory}/authorized
PidFile none
StrictModes no
PermitRootLogin yes
SetEnv PATH=${directory}/far:/usr/bin:/bin CTR_HOST=unix://${daemon.socketPath}
`,
  )
  const options = `-i ${directory}/user -o UserKnownHostsFile=${directory}/known -o StrictHostKeyChecking=accept-new`
  const { stdout } = await run(['sh', '-c', 'command -v ssh'])
  script(`${directory}/near/ssh`, `exec ${stdout.trim()} -F none ${options} "$@"`)
  sshd = spawn('unshare', ['--mount', 'sh', '-c', START, SSHD, directory], { stdio: 'ignore' })
  await waitFor('sshd to listen', async () => await isOpen(port))
  const host = `ssh://root@127.0.0.1:${port}`
  const path = `${directory}/near:${process.env['PATH']}`
  environment = { HOME: `${daemon.root}/home`, PATH: path, CTR_HOST: host, DOCKER_HOST: host }
})
after(async () => {
  if (sshd !== undefined) {
    const ended = new Promise((resolve) => sshd?.once('exit', resolve))
    sshd.kill()
    await ended
  }
  await daemon?.[Symbol.asyncDispose]()
})

/** sshd wants its directory and its user, which only its package makes. */
const START = `mount --make-rprivate / && cp /etc/passwd "$1/passwd" && mount -t tmpfs tmpfs /run && mkdir /run/sshd &&
  { grep -q ^sshd: "$1/passwd" || echo sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin >>"$1/passwd"; } &&
  mount --bind "$1/passwd" /etc/passwd && exec "$0" -D -f "$1/sshd_config"`

function script(path: string, line: string): void {
  writeFileSync(path, `#!/bin/sh\n${line}\n`)
  chmodSync(path, 0o755)
}

async function isOpen(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
  const open = await promise
  socket.destroy()
  return open
}

for (const [client, argv] of [
  ['ctr', () => [...daemon.cli]],
  ['docker', () => ['docker']],
] as const) {
  test(`${client} runs a container, with stdin and an exit code, over ssh`, { skip }, async () => {
    const piped = [...argv(), 'run', '--rm', '-i', 'busybox', 'sh', '-c', 'cat; exit 7']
    const { code, stdout, stderr } = await run(piped, { env: environment, input: 'over ssh\n' })
    assert.deepEqual([code, stdout], [7, 'over ssh\n'], stderr)
    const context = [
      'context',
      'create',
      `far-${client}`,
      '--docker',
      `host=${environment['CTR_HOST']}`,
    ]
    const made = await run([...argv(), ...context], { env: environment })
    assert.equal(made.code, 0, made.stderr)
    const { CTR_HOST: _ctr, DOCKER_HOST: _docker, ...bare } = environment
    const name = [...argv(), '--context', `far-${client}`, 'info', '-f', '{{.DockerRootDir}}']
    const info = await run(name, { env: bare })
    assert.equal(info.stdout.trim(), daemon.dataRoot, info.stderr)
  })
}

test('a far side that refuses is told of, with the reason of ssh', { skip }, async () => {
  const refused = {
    ...environment,
    CTR_HOST: environment['CTR_HOST']?.replace('root@', 'nobody@') ?? '',
  }
  const { code, stderr } = await run([...daemon.cli, 'ps'], { env: refused })
  assert.notEqual(code, 0)
  assert.match(stderr, /Permission denied/)
  assert.ok(readFileSync(`${daemon.root}/ssh/known`, 'utf8').includes('127.0.0.1'))
})
