import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { test } from 'node:test'
import { requires, run } from '@ctr/testkit'

// The set-up of a clone. The clone that runs the tests is set up already: running it again must be quick and harmless.
const root = `${import.meta.dirname}/..`
const skip = requires({ root: true, files: [`${root}/bin/ctrd`, `${root}/.build/stamps/modules`] })
const script = `${root}/scripts/setup.sh`
const env = { HOME: process.env['HOME'] ?? '/root' }

test('a second set-up does nothing and takes a second or two', { skip }, async () => {
  // Time of processors: a busy machine may take as long as it likes.
  const timed = ['sh', '-c', 'sh "$1" setup; code=$?; times; exit $code', 'sh', script]
  const { code, stdout, stderr } = await run(timed, { env })
  assert.equal(code, 0, stdout + stderr)
  const [said, , used = ''] = stdout.split('\n')
  assert.equal(said, '==> ready: bin/ctrd, bin/ctr and bin/ctr-runtime')
  const seconds = [...used.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, m, s]) => Number(m) * 60 + Number(s),
  )
  assert.equal(seconds.length, 2, used)
  assert.ok((seconds[0] ?? 0) + (seconds[1] ?? 0) < 3, used)
})

test('bin/ctrd and bin/ctr work through a symbolic link and from any directory', {
  skip,
}, async () => {
  const directory = mkdtempSync('/tmp/ctr-links-')
  try {
    for (const name of ['ctrd', 'ctr']) {
      symlinkSync(`${root}/bin/${name}`, `${directory}/${name}`)
      const { code, stdout, stderr } = await run([`${directory}/${name}`, '--version'], {
        cwd: directory,
        env,
      })
      assert.equal(code, 0, stderr)
      assert.match(stdout, /\d+\.\d+\.\d+/)
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('without root set-up says what it needs and changes nothing', {
  skip: skip || requires({ commands: ['setpriv'] }),
}, async (t) => {
  const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
  if ((await run([...nobody, 'test', '-r', script])).code !== 0) {
    t.skip('needs a clone that other users can read')
    return
  }
  const before = readFileSync(`${root}/.build/stamps/modules`, 'utf8')
  for (const [mode, again] of [
    ['quickstart', 'npm run quickstart'],
    ['test', 'npm test'],
  ] as const) {
    const { code, stdout, stderr } = await run([...nobody, 'sh', script, mode], { env })
    assert.equal(code, 1, stdout)
    assert.match(
      stderr,
      /ctr needs, and this machine does not have:\n {2}- root \(you are nobody\)/,
    )
    assert.ok(stderr.endsWith(`or: sudo ${again}\n`), stderr)
  }
  assert.equal(readFileSync(`${root}/.build/stamps/modules`, 'utf8'), before)
})

test('in an unprivileged container set-up says what its root lacks', {
  skip: skip || requires({ commands: ['setpriv'] }),
}, async () => {
  const command = ['setpriv', '--bounding-set=-sys_admin', 'sh', script, 'quickstart']
  const { code, stderr } = await run(command, { env })
  assert.equal(code, 1)
  assert.match(stderr, /does not have:\n {2}- CAP_NET_ADMIN and CAP_SYS_ADMIN, .*--privileged\n$/)
})

test('in a container set-up asks for a place that is no overlay', {
  skip: skip || requires({ commands: ['unshare'] }),
}, async () => {
  const directory = mkdtempSync('/tmp/ctr-overlay-')
  try {
    const layers = `lowerdir=/var/lib,upperdir=${directory}/u,workdir=${directory}/w`
    const inside = `mount -t tmpfs t "$0" && mkdir "$0/u" "$0/w" && mount -t overlay -o ${layers} overlay /var/lib && exec "$@"`
    const unshared = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', inside]
    const command = [...unshared, directory, 'sh', script, 'quickstart']
    const { code, stderr } = await run(command, { env })
    assert.equal(code, 1)
    assert.match(
      stderr,
      /does not have:\n {2}- a \/var\/lib\/ctr that is no overlay, .* -v \/var\/lib\/ctr\n$/,
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('on a system without apt set-up names the packages', { skip }, async () => {
  const tools = mkdtempSync('/tmp/ctr-tools-')
  try {
    const { stdout } = await run([
      'sh',
      '-c',
      'for name in dirname uname id sed npm; do command -v $name; done',
    ])
    for (const path of stdout.trim().split('\n')) symlinkSync(path, `${tools}/${basename(path)}`)
    symlinkSync(process.execPath, `${tools}/node`)
    const result = await run(['/bin/sh', script], {
      env: { ...env, PATH: tools },
    })
    assert.equal(result.code, 1)
    assert.match(result.stderr, /- Debian 12\/13 or Ubuntu \(this is .+, without apt-get\)/)
    assert.match(result.stderr, /gcc {2}- compiles ctr-shim/)
    assert.doesNotMatch(result.stderr, /Node|root/)
  } finally {
    rmSync(tools, { recursive: true })
  }
})

test('without a network set-up says so in a few lines', {
  skip: skip || requires({ commands: ['unshare', 'npm'] }),
}, async () => {
  const clone = mkdtempSync('/tmp/ctr-offline-')
  try {
    cpSync(script, `${clone}/scripts/setup.sh`)
    const result = await run(['unshare', '--net', 'sh', `${clone}/scripts/setup.sh`], {
      // npm's own cache would do without a network.
      env: { ...env, npm_config_cache: `${clone}/cache`, npm_config_fetch_retries: '0' },
    })
    assert.equal(result.code, 1, result.stdout)
    assert.match(result.stderr, /^setup: npm install pnpm failed: is there no network\?/m)
    assert.ok(result.stderr.split('\n').length <= 6, result.stderr)
  } finally {
    rmSync(clone, { recursive: true })
  }
})

test('behind somebody who speaks TLS in the name of others set-up says where to name him', {
  skip: skip || requires({ commands: ['openssl', 'npm'] }),
}, async () => {
  const clone = mkdtempSync('/tmp/ctr-foreign-')
  const [key, cert] = [`${clone}/key`, `${clone}/cert`]
  const pair = ['-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert]
  const made = await run(['openssl', 'req', '-x509', ...pair, '-subj', '/CN=127.0.0.1'])
  assert.equal(made.code, 0, made.stderr)
  const registry = createServer({ key: readFileSync(key), cert: readFileSync(cert) })
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
  try {
    cpSync(script, `${clone}/scripts/setup.sh`)
    const { code, stderr } = await run(['sh', `${clone}/scripts/setup.sh`], {
      env: {
        ...env,
        npm_config_cache: `${clone}/cache`,
        npm_config_fetch_retries: '0',
        npm_config_registry: `https://127.0.0.1:${(registry.address() as AddressInfo).port}`,
      },
    })
    assert.equal(code, 1)
    assert.match(stderr, /^setup: npm install pnpm failed: is there a proxy with a certificate/m)
  } finally {
    registry.close()
    rmSync(clone, { recursive: true })
  }
})

test('every mode has a message for what it does not know', async () => {
  const { code, stderr } = await run(['sh', script, 'nope'], { env })
  assert.equal(code, 1)
  assert.match(stderr, /unknown mode 'nope': expected setup, quickstart or test/)
  assert.ok(existsSync(root))
})
