import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

/** Contexts need no daemon. From source, so without a build. */
const MAIN = join(import.meta.dirname, '../src/main.ts')
const directory = mkdtempSync('/tmp/ctr-cli-context-')
after(() => rmSync(directory, { recursive: true }))

function ctr(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    cwd: directory,
    env: { PATH: process.env['PATH'], DOCKER_CONFIG: join(directory, 'config'), ...env },
  })
  return { code: status, stdout, stderr }
}

function ok(...args: string[]): string {
  const { code, stdout, stderr } = ctr(args)
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
  return stdout
}

describe('ctr context', () => {
  it('keeps a context with its TLS files, private, and gives it away as an archive', () => {
    writeFileSync(join(directory, 'ca'), 'certificate')
    ok(
      'context',
      'create',
      'far',
      '--description',
      'd',
      '--docker',
      'host=tcp://192.0.2.1:2376,ca=ca',
    )
    const [document] = JSON.parse(ok('context', 'inspect', 'far')) as [
      { Endpoints: unknown; TLSMaterial: unknown; Storage: { TLSPath: string } },
    ]
    assert.deepEqual(document.Endpoints, {
      docker: { Host: 'tcp://192.0.2.1:2376', SkipTLSVerify: false },
    })
    assert.deepEqual(document.TLSMaterial, { docker: ['ca.pem'] })
    const file = join(document.Storage.TLSPath, 'docker/ca.pem')
    assert.equal(readFileSync(file, 'utf8'), 'certificate')
    assert.equal(statSync(file).mode & 0o777, 0o600)

    ok('context', 'export', 'far', 'far.tar')
    ok('context', 'import', 'copy', 'far.tar')
    assert.equal(ok('context', 'ls', '-q'), 'copy\ndefault\nfar\n')
    assert.match(ok('context', 'inspect', 'copy'), /"ca.pem"/)
    ok('context', 'rm', 'copy')
  })

  it('uses the context that counts: flag, host variable, context variable, kept one', () => {
    ok('context', 'create', 'one', '--docker', 'host=unix:///one.sock')
    ok('context', 'create', 'two', '--docker', 'host=unix:///two.sock')
    ok('context', 'use', 'one')
    const reached = (args: string[], env: Record<string, string> = {}): string =>
      /at (\S+)\./.exec(ctr([...args, 'ps'], env).stderr)?.[1] ?? 'none'
    assert.equal(reached([]), 'unix:///one.sock')
    assert.equal(reached([], { DOCKER_CONTEXT: 'two' }), 'unix:///two.sock')
    assert.equal(reached([], { CTR_CONTEXT: 'two', DOCKER_CONTEXT: 'nope' }), 'unix:///two.sock')
    const host = { DOCKER_HOST: 'unix:///host.sock', DOCKER_CONTEXT: 'two' }
    assert.equal(reached([], host), 'unix:///host.sock')
    assert.equal(reached(['-c', 'one'], host), 'unix:///one.sock')
    assert.equal(reached(['-H', 'unix:///flag.sock'], host), 'unix:///flag.sock')
    assert.match(
      ctr(['-H', 'unix:///x', '-c', 'one', 'ps']).stderr,
      /cannot specify both --host and --context/,
    )
  })

  it('does not take the current context of docker, nor change it', () => {
    const path = join(directory, 'config/config.json')
    writeFileSync(path, JSON.stringify({ currentContext: 'desktop', psFormat: 'x' }))
    assert.equal(ok('context', 'show'), 'default\n')
    ok('context', 'use', 'one')
    assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), {
      currentContext: 'desktop',
      psFormat: 'x',
      ctr: { currentContext: 'one' },
    })
    ok('context', 'rm', '-f', 'one')
    assert.equal(ok('context', 'show'), 'default\n')
  })

  it('refuses archives that are none, and names that are none', () => {
    writeFileSync(join(directory, 'broken'), 'x'.repeat(2000))
    assert.match(ctr(['context', 'import', 'new', 'broken']).stderr, /invalid context/)
    writeFileSync(join(directory, 'empty'), Buffer.alloc(1024))
    assert.match(ctr(['context', 'import', 'new', 'empty']).stderr, /no meta.json/)
    assert.match(ctr(['context', 'create', '../x']).stderr, /is invalid, names are validated/)
    assert.match(ctr(['-c', 'nope', 'ps']).stderr, /context "nope": context not found/)
  })
})
