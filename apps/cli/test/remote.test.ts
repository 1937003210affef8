import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import {
  freePort,
  type RunOptions,
  type RunResult,
  requires,
  run,
  startDaemon,
  type TestDaemon,
} from '@ctr/testkit'

/** A daemon that is reached by TCP, by TLS with certificates on both sides, and by ssh. */
const skip = requires({ root: true, commands: ['openssl'] })
const port = await freePort()
const securePort = await freePort()

describe('a daemon elsewhere', () => {
  let plain: TestDaemon
  let secure: TestDaemon
  let certificates: string

  before(async () => {
    if (skip !== false) return
    const tcp = `tcp://127.0.0.1:${port}`
    plain = await startDaemon({ bridge: false, args: ['-H', tcp] })
    certificates = `${plain.root}/certificates`
    await makeCertificates(certificates)
    secure = await startDaemon({
      bridge: false,
      args: [
        '-H',
        `tcp://127.0.0.1:${securePort}`,
        '--tlsverify',
        `--tlscacert=${certificates}/ca.pem`,
        `--tlscert=${certificates}/server.pem`,
        `--tlskey=${certificates}/server-key.pem`,
      ],
    })
  })
  after(async () => {
    await Promise.all([plain?.[Symbol.asyncDispose](), secure?.[Symbol.asyncDispose]()])
  })

  /** Without any address in the environment. */
  async function ctr(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const { cli, root } = plain
    return await run([...cli, ...args], {
      ...options,
      env: { HOME: `${root}/home`, ...options.env },
    })
  }

  async function hasConversation(
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<void> {
    const input = Buffer.alloc(300_000, 'some bytes\n')
    const command = ['run', '-i', '--rm', '--network', 'none', 'busybox', 'sh', '-c', 'cat; exit 5']
    const result = await ctr([...args, ...command], { input, env })
    assert.equal(result.code, 5, result.stderr)
    assert.ok(result.stdoutBytes.equals(input))
  }

  it('is reached by TCP', { skip }, async () => {
    await hasConversation(['-H', `tcp://127.0.0.1:${port}`])
    await hasConversation([], { DOCKER_HOST: `tcp://127.0.0.1:${port}` })
  })

  it('is reached by TLS, with the certificates of options, environment or context', {
    skip,
  }, async () => {
    const address = `tcp://127.0.0.1:${securePort}`
    const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => `${certificates}/${name}.pem`)
    await hasConversation([
      '-H',
      address,
      '--tlsverify',
      `--tlscacert=${ca}`,
      `--tlscert=${cert}`,
      `--tlskey=${key}`,
    ])
    const env = { DOCKER_HOST: address, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates }
    await hasConversation([], env)
    const endpoint = `host=${address},ca=${ca},cert=${cert},key=${key}`
    const made = await ctr(['context', 'create', 'secure', '--docker', endpoint])
    assert.equal(made.code, 0, made.stderr)
    await hasConversation(['-c', 'secure'])
  })

  it('answers nobody without a certificate, and is not trusted without its own', {
    skip,
  }, async () => {
    const address = `tcp://127.0.0.1:${securePort}`
    for (const args of [
      ['-H', address, '--tlsverify', '--tlscacert', `${certificates}/ca.pem`],
      ['-H', address, '--tls', '--tlsverify', '--tlscert', `${certificates}/cert.pem`],
      ['-H', address],
    ]) {
      const { code, stderr } = await ctr([...args, 'ps'])
      assert.equal(code, 1, `${args.join(' ')}: ${stderr}`)
      assert.notEqual(stderr, '')
    }
  })

  it('is reached by ssh, which runs ctr system dial-stdio over there', { skip }, async () => {
    // Stands for ssh(1): runs the command that follows the destination, as the far side's shell would.
    const bin = `${plain.root}/bin`
    mkdirSync(bin)
    if (existsSync(plain.cli[0] ?? '') && plain.cli.length === 1)
      symlinkSync(plain.cli[0] ?? '', `${bin}/ctr`)
    else
      writeFileSync(`${bin}/ctr`, `#!/bin/sh\nexec ${plain.cli.join(' ')} "$@"\n`, { mode: 0o755 })
    writeFileSync(
      `${bin}/ssh`,
      `#!/bin/sh\necho "$@" >>${plain.root}/ssh.log\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec sh -c "$*"\n`,
    )
    chmodSync(`${bin}/ssh`, 0o755)
    const env = { PATH: `${bin}:${process.env['PATH']}` }
    await hasConversation(['-H', `ssh://me@far:2222${plain.socketPath}`], env)
    const { stdout } = await run(['cat', `${plain.root}/ssh.log`])
    assert.match(stdout, /-p 2222 -- me@far ctr -H unix:\/\/\S+ system dial-stdio/)
  })

  it('says why ssh did not get there', { skip }, async () => {
    const bin = `${plain.root}/failing`
    mkdirSync(bin)
    writeFileSync(`${bin}/ssh`, '#!/bin/sh\necho "Permission denied" >&2\nexit 255\n', {
      mode: 0o755,
    })
    const env = { PATH: `${bin}:${process.env['PATH']}` }
    const { code, stderr } = await ctr(['-H', 'ssh://me@far', 'ps'], { env })
    assert.equal(code, 1)
    assert.match(stderr, /Permission denied/)
  })
})

async function makeCertificates(directory: string): Promise<void> {
  mkdirSync(directory)
  const script = `
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=ca
    sign() {
      openssl req -newkey rsa:2048 -nodes -keyout $2 -out request.pem -subj /CN=$1
      printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=%s\\n' $4 >extensions
      openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out $3 -days 2 -extfile extensions
    }
    sign server server-key.pem server.pem serverAuth
    sign client key.pem cert.pem clientAuth`
  const { code, stderr } = await run(['sh', '-ec', script], { cwd: directory })
  assert.equal(code, 0, stderr)
}
