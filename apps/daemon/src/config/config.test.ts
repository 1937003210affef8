import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type DaemonConfig, loadConfig } from './config.ts'
import { doubledKeys, parseConfigFile } from './file.ts'
import { parseFlags } from './flags.ts'

const directory = mkdtempSync(join(tmpdir(), 'ctr-daemon-config-'))
after(() => rmSync(directory, { recursive: true }))

let files = 0
function load(flags: string[], file?: string): DaemonConfig {
  files += 1
  const path = join(directory, `${files}.json`)
  writeFileSync(path, file ?? '{}')
  return loadConfig(parseFlags(['--config-file', path, ...flags]))
}

test('flags have the names of dockerd', () => {
  const config = load([
    '-H',
    'unix:///tmp/a.sock',
    '--host=unix:///tmp/b.sock',
    '--data-root',
    '/d',
    '--exec-root=/e',
    '--pidfile',
    '/p',
    '-l',
    'warn',
    '--bridge',
    'br9',
    '--bip',
    '10.9.0.1/24',
  ])
  assert.deepEqual(config.sockets, ['/tmp/a.sock', '/tmp/b.sock'])
  assert.equal(config.engine.dataRoot, '/d')
  assert.equal(config.engine.execRoot, '/e')
  assert.equal(config.pidFile, '/p')
  assert.equal(config.logLevel, 'warn')
  assert.deepEqual(config.engine.bridge, { kind: 'bridge', name: 'br9', bip: '10.9.0.1/24' })
})

test('a boolean flag may carry its value', () => {
  assert.equal(load(['--debug=true']).logLevel, 'debug')
  assert.equal(load(['--debug=false']).logLevel, 'info')
  assert.equal(load(['-D']).logLevel, 'debug')
  assert.equal(load(['--init']).engine.initByDefault, true)
})

test('the file has the keys of daemon.json', () => {
  const config = load(
    [],
    `{
    "hosts": ["unix:///tmp/c.sock"], "bridge": "none", "labels": ["a=b"], "debug": true,
    "log-opts": {"max-size": "5m", "max-file": "7"}, "default-shm-size": "1G",
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64, "Soft": 32}},
    "live-restore": true, "registry-mirrors": [], "runtimes": {"x": {"path": "/x"}}
  }`,
  )
  assert.deepEqual(config.sockets, ['/tmp/c.sock'])
  assert.deepEqual(config.engine.bridge, { kind: 'none' })
  assert.equal(config.engine.defaultLog.maxBytes, 5 * 1024 * 1024)
  assert.equal(config.engine.defaultLog.maxFiles, 7)
  assert.equal(config.engine.defaultShmSizeBytes, 1024 ** 3)
  assert.deepEqual(config.engine.defaultUlimits, [{ Name: 'nofile', Soft: 32, Hard: 64 }])
  assert.deepEqual(config.ignoredKeys, ['live-restore', 'runtimes'])
})

test('an unknown key is refused', () => {
  assert.throws(() => load([], '{"data-rot": "/x"}'), {
    code: 'INVALID_ARGUMENT',
    message: /the following directives don't match any configuration option: data-rot$/,
  })
})

test('a doubled key is refused', () => {
  assert.throws(() => load([], '{"debug": true, "debug": false}'), {
    message: /given twice: debug$/,
  })
  assert.deepEqual(doubledKeys('{"a": {"b": 1}, "c": {"b": ["a", "b"]}, "d": "a\\": x"}'), [])
  assert.deepEqual(doubledKeys('{"a": [{"b": 1, "\\u0062": 2}], "a": 1}'), ['b', 'a'])
})

test('a key both in the file and as a flag is refused', () => {
  assert.throws(() => load(['--data-root', '/x'], '{"data-root": "/y"}'), {
    message:
      /both as a flag and in the configuration file: data-root: \(from flag: \/x, from file: \/y\)$/,
  })
})

test('wrong types and broken JSON are refused', () => {
  assert.throws(() => parseConfigFile('{"debug": "yes"}', '/f'), {
    message: /debug must be a boolean$/,
  })
  assert.throws(() => parseConfigFile('{"dns": "1.1.1.1"}', '/f'), {
    message: /dns must be a list of strings$/,
  })
  assert.throws(() => parseConfigFile('[]', '/f'), { message: /one JSON object$/ })
  assert.throws(() => parseConfigFile('{', '/f'), { code: 'INVALID_ARGUMENT' })
  assert.equal(parseConfigFile(' \n', '/f').size, 0)
})

test('a file that was named must exist', () => {
  assert.throws(() => loadConfig(parseFlags(['--config-file', join(directory, 'nosuch')])), {
    message: /^read configuration file: ENOENT/,
  })
})

test('values without a meaning are refused', () => {
  const bad = [
    ['--log-level', 'loud'],
    ['-H', 'tcp://0.0.0.0:2375'],
    ['-H', `unix:///${'x'.repeat(108)}`],
    ['--bip', '10.0.0.1'],
    ['--bridge', 'a/b'],
    ['--bridge', 'none', '--bip', '10.0.0.1/8'],
    ['--label', 'x'],
    ['--default-ulimit', 'nofile=x'],
    ['--log-opt', 'max-size=x'],
    ['--nosuch'],
    ['stray'],
    ['--cgroup-parent', '../x'],
    ['--mtu', 'x'],
  ]
  for (const flags of bad) {
    assert.throws(() => load(flags), { code: 'INVALID_ARGUMENT' }, flags.join(' '))
  }
})
