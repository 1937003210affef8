import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type DaemonConfig, loadConfig, reloadedConfig } from './config.ts'
import { doubledKeys, parseConfigFile } from './file.ts'
import { parseFlags } from './flags.ts'
import { OPTIONS } from './options.ts'

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
  assert.deepEqual(config.hosts, [
    { kind: 'unix', path: '/tmp/a.sock' },
    { kind: 'unix', path: '/tmp/b.sock' },
  ])
  assert.equal(config.engine.dataRoot, '/d')
  assert.equal(config.engine.execRoot, '/e')
  assert.equal(config.pidFile, '/p')
  assert.equal(config.logLevel, 'warn')
  assert.deepEqual(config.engine.bridge, { kind: 'bridge', name: 'br9', bip: '10.9.0.1/24' })
})

test('a boolean flag may carry its value', () => {
  assert.equal(load(['--debug=true']).logLevel, 'debug')
  assert.equal(load(['--debug=false']).logLevel, 'info')
  assert.equal(load(['--debug', '--debug=false']).logLevel, 'info')
  assert.equal(load(['--debug=false', '--debug']).logLevel, 'debug')
  assert.throws(() => load(['--no-debug']), { code: 'INVALID_ARGUMENT' })
})

test('a flag whose name begins with no- is set, not unset', () => {
  assert.equal(load(['--no-new-privileges']).engine.noNewPrivileges, true)
  assert.equal(load(['--no-new-privileges=false']).engine.noNewPrivileges, false)
  assert.equal(load(['--no-pivot']).engine.noPivot, true)
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
  assert.deepEqual(config.hosts, [{ kind: 'unix', path: '/tmp/c.sock' }])
  assert.deepEqual(config.engine.bridge, { kind: 'none' })
  assert.deepEqual(config.engine.defaultLog, {
    driver: 'json-file',
    options: { 'max-size': '5m', 'max-file': '7' },
  })
  assert.equal(config.engine.defaultShmSizeBytes, 1024 ** 3)
  assert.deepEqual(config.engine.defaultUlimits, [{ Name: 'nofile', Soft: 32, Hard: 64 }])
  assert.deepEqual(Object.keys(config.ignored), ['live-restore', 'runtimes'])
})

test('selinux-enabled acts, from the file and as a flag; what has no effect is named', () => {
  for (const config of [load(['--selinux-enabled']), load([], '{"selinux-enabled": true}')]) {
    assert.equal(config.engine.seLinuxEnabled, true)
    assert.deepEqual(config.ignored, {})
  }
  assert.equal(load([]).engine.seLinuxEnabled, false)
  assert.deepEqual(load([], '{"live-restore": true}').ignored, {
    'live-restore': 'containers always go on without ctrd',
  })
  for (const { key, help, why } of OPTIONS) {
    assert.ok((help ?? why ?? '') !== '' || key === 'authorization-plugins', key)
  }
})

test('options of networks are taken over from the file and from flags', () => {
  const file = load(
    [],
    `{"icc": false, "ip": "127.0.0.1", "mtu": 1400, "ip-masq": false, "ipv6": true, "fixed-cidr": "10.9.0.128/25",
      "fixed-cidr-v6": "fd00:1::/64", "default-gateway": "10.9.0.9", "bip": "10.9.0.1/24", "ip-forward": false,
      "default-address-pools": [{"base": "10.10.0.0/16", "size": 24}],
      "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1300"}},
      "host-gateway-ip": "10.0.0.7", "default-ipc-mode": "shareable", "default-cgroupns-mode": "host"}`,
  )
  const flags = load([
    '--icc=false',
    '--ip=127.0.0.1',
    '--mtu=1400',
    '--ip-masq=false',
    '--ipv6',
    '--fixed-cidr=10.9.0.128/25',
    '--fixed-cidr-v6=fd00:1::/64',
    '--default-gateway=10.9.0.9',
    '--bip=10.9.0.1/24',
    '--ip-forward=false',
    '--default-address-pool=base=10.10.0.0/16,size=24',
    '--default-network-opt=bridge=com.docker.network.driver.mtu=1300',
    '--host-gateway-ip=10.0.0.7',
    '--default-ipc-mode=shareable',
    '--default-cgroupns-mode=host',
  ])
  for (const { engine, ignored } of [file, flags]) {
    assert.deepEqual(ignored, {})
    assert.deepEqual(engine.bridge, {
      kind: 'bridge',
      name: 'ctr0',
      bip: '10.9.0.1/24',
      fixedCidr: '10.9.0.128/25',
      fixedCidrV6: 'fd00:1::/64',
      gateway: '10.9.0.9',
      hostIp: '127.0.0.1',
      mtu: 1400,
      hasIpv6: true,
      allowsInterContainer: false,
      masquerades: false,
    })
    assert.deepEqual(engine.networks, {
      addressPools: [{ base: { family: 4, address: 0x0a0a0000n, prefix: 16 }, size: 24 }],
      options: { bridge: { 'com.docker.network.driver.mtu': '1300' } },
      setsForwarding: false,
      hasFirewall: true,
    })
    assert.deepEqual(engine.hostGateways, ['10.0.0.7'])
    assert.equal(engine.defaultIpcMode, 'shareable')
    assert.equal(engine.defaultCgroupnsMode, 'host')
  }
})

test('storage options are those of overlay2', () => {
  const sizeOf = (file: string): number | undefined => load([], file).engine.defaultStorageBytes
  assert.equal(sizeOf('{"storage-opts": ["overlay2.size=10G"]}'), 10 * 1024 ** 3)
  assert.equal(sizeOf('{"storage-opts": ["overlay2.override_kernel_check=true"]}'), undefined)
  assert.equal(sizeOf('{"storage-driver": "devicemapper", "storage-opts": ["dm.x=1"]}'), undefined)
  for (const option of ['size=5G', 'dm.basesize=20G', 'nope', 'overlay2.size=abc']) {
    assert.throws(() => sizeOf(`{"storage-opts": ["${option}"]}`), { code: 'INVALID_ARGUMENT' })
  }
})

test('keys of dockerd 20.10 that 28 has no longer are accepted; graph is data-root', () => {
  const { engine, ignored } = load(
    [],
    '{"graph": "/g", "cluster-store": "x", "cluster-store-opts": {"a": "b"}, "api-cors-header": "*", "rootless": false}',
  )
  assert.equal(engine.dataRoot, '/g')
  assert.deepEqual(Object.keys(ignored), [
    'api-cors-header',
    'cluster-store',
    'cluster-store-opts',
    'rootless',
  ])
  assert.throws(() => load([], '{"graph": "/g", "data-root": "/d"}'), /both are given/)
})

test('the log is JSON or text, uploads and the OOM score are as asked for, and the runtime is ours', () => {
  const config = load(
    [],
    '{"log-format": "text", "max-concurrent-uploads": 2, "oom-score-adjust": -500, "default-runtime": "runc"}',
  )
  assert.deepEqual(
    [config.logFormat, config.engine.registries.maxUploads, config.oomScoreAdjust, config.ignored],
    ['text', 2, -500, {}],
  )
  assert.equal(load(['--oom-score-adjust', '-5']).oomScoreAdjust, -5)
  assert.equal(load(['--oom-score-adjust=-5', '--debug']).logLevel, 'debug')
  const plain = load([])
  assert.deepEqual(
    [plain.logFormat, plain.engine.registries.maxUploads, plain.oomScoreAdjust],
    ['json', 5, undefined],
  )
  for (const [file, message] of [
    ['{"log-format": "xml"}', /^invalid log-format "xml": must be json or text/],
    ['{"oom-score-adjust": 1001}', /must be from -1000 to 1000/],
    ['{"default-runtime": "nvidia"}', /^specified default runtime 'nvidia' does not exist$/],
  ] as const) {
    assert.throws(() => load([], file), { code: 'INVALID_ARGUMENT', message })
  }
})

test('without a host TLS is on its port of loopback, as of dockerd', () => {
  const port = { kind: 'tcp', host: '127.0.0.1', port: 2376 }
  assert.deepEqual(load(['--tlsverify']).hosts, [port])
  assert.deepEqual(load(['--tls', '-H', '']).hosts, [port])
  assert.deepEqual(load([]).hosts, [{ kind: 'unix', path: '/var/run/ctr.sock' }])
})

test('tlsverify switches TLS on, also with false; a relative cgroup-parent begins at the root', () => {
  assert.ok(load(['--tlsverify=false']).tls)
  assert.equal(load(['--tlsverify=false']).tls?.ca, undefined)
  assert.equal(load([]).tls, undefined)
  assert.equal(load(['--cgroup-parent=test']).engine.cgroupParent, '/test')
})

test('what cannot be meant is refused with key and value', () => {
  for (const [file, message] of [
    ['{"ip": "nope"}', /^invalid ip "nope": is not an IP address/],
    ['{"mtu": 10}', /^invalid mtu "10": must be from 68/],
    ['{"fixed-cidr": "fd00::/64"}', /^invalid fixed-cidr "fd00::\/64": is not an IPv4 subnet/],
    ['{"default-address-pools": [{"base": "10.0.0.0/16", "size": 8}]}', /size must be from 16/],
    ['{"default-address-pools": [{"size": 8}]}', /needs a subnet as base/],
    ['{"default-network-opts": {"bridge": {"a": 1}}}', /must be an object of strings/],
    ['{"icc": false, "iptables": false}', /^invalid icc "false"/],
    [
      '{"default-ipc-mode": "host"}',
      /^invalid default-ipc-mode "host": must be private or shareable/,
    ],
    [
      '{"default-cgroupns-mode": "x"}',
      /^invalid default-cgroupns-mode "x": must be private or host/,
    ],
    ['{"authorization-plugins": ["x"]}', /^invalid authorization-plugins "x": ctrd has no plugins/],
  ] as const) {
    assert.throws(() => load([], file), { code: 'INVALID_ARGUMENT', message }, file)
  }
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
    ['--log-opt', 'syslog-address=udp://127.0.0.1'],
    ['--log-driver', 'nosuch'],
    ['--log-driver', 'local', '--log-opt', 'tag=x'],
    ['--nosuch'],
    ['stray'],
    ['--cgroup-parent', '../x'],
    ['--mtu', 'x'],
    ['--data-root', ''],
    ['--exec-root='],
    ['--debug=maybe'],
    ['--dns', '300.1.1.1'],
    ['--dns-search', 'a b'],
    ['--insecure-registry', 'a b'],
    ['--label', 'a=b', '--label', 'a=c'],
    ['--default-ulimit', 'nofile=5:3'],
    ['--default-ulimit', 'nofile=-1:3'],
    ['--default-ulimit', 'bogus=1'],
    ['-H', '/run/a.sock'],
  ]
  for (const flags of bad) {
    assert.throws(() => load(flags), { code: 'INVALID_ARGUMENT' }, flags.join(' '))
  }
})

test('the address of the bridge is one for a host', () => {
  for (const bip of ['172.30.0.1/16', '10.1.0.255/16', '192.168.1.1/30']) {
    assert.equal(load(['--bip', bip]).engine.bridge.kind, 'bridge', bip)
  }
  const bad =
    '10.0.0.0/24 10.0.0.255/24 10.0.0.1/31 10.0.0.1/33 300.1.1.1/16 127.0.0.1/8 224.0.0.1/24'
  for (const bip of [...bad.split(' '), '0.0.0.1/8', '10.0.0.1', '::1/64', '10.0.0.1/8/8', '']) {
    assert.throws(() => load(['--bip', bip]), { code: 'INVALID_ARGUMENT', message: /^invalid bip/ })
  }
})

test('booleans are those of Go; empty names mean none where dockerd takes them so', () => {
  assert.equal(load(['--debug=T']).logLevel, 'debug')
  assert.equal(load(['--debug=F']).logLevel, 'info')
  assert.equal(load(['--pidfile', '']).pidFile, undefined)
  assert.equal(loadConfig(parseFlags(['--config-file', ''])).logLevel, 'info')
  assert.deepEqual(load(['--label', 'a=b', '--label', 'a=b']).engine.labels, ['a=b'])
  assert.deepEqual(load(['--dns-search', '.', '--dns-search=a-b.c']).engine.dnsSearch, [
    '.',
    'a-b.c',
  ])
  assert.deepEqual(load(['--default-ulimit', 'core=-1']).engine.defaultUlimits, [
    { Name: 'core', Soft: -1, Hard: -1 },
  ])
})

test('a reload changes what can be changed and names the rest', () => {
  const now = load(
    ['--init'],
    '{"debug": false, "labels": ["a=1"], "data-root": "/a", "mtu": 1400}',
  )
  const next = load(
    ['--init'],
    '{"debug": true, "data-root": "/b", "registry-mirrors": ["https://m"], "max-concurrent-downloads": 7}',
  )
  const { config, changed, needRestart } = reloadedConfig(now, next)
  assert.deepEqual(changed.toSorted(), [
    'debug',
    'labels',
    'max-concurrent-downloads',
    'registry-mirrors',
  ])
  assert.deepEqual(needRestart, ['data-root', 'mtu'])
  assert.equal(config.logLevel, 'debug')
  assert.deepEqual(config.engine.labels, [])
  assert.equal(config.engine.dataRoot, '/a')
  assert.equal(config.engine.initByDefault, true)
  assert.deepEqual(config.engine.registries.mirrors, ['https://m'])
  assert.equal(config.engine.registries.maxDownloads, 7)
  // What needs a restart is said each time.
  assert.deepEqual(reloadedConfig(config, next).needRestart, ['data-root', 'mtu'])
  assert.deepEqual(reloadedConfig(config, next).changed, [])
})

test('tlsverify includes tls, and TCP by default is on loopback', () => {
  const config = load([
    '--tlsverify',
    '--tlscacert',
    '/a',
    '--tlscert=/c',
    '--tlskey=/k',
    '-H=tcp://:9',
  ])
  assert.deepEqual(config.tls, { cert: '/c', key: '/k', ca: '/a' })
  assert.deepEqual(config.hosts, [{ kind: 'tcp', host: '127.0.0.1', port: 9 }])
  assert.equal(load(['--tls=false']).tls, undefined)
  assert.throws(() => load([], '{"tls": true, "hosts": ["tcp://0.0.0.0"]}'), /use --tlsverify/)
})

test('proxies and metrics', () => {
  const config = load(['--metrics-addr', ':9323'], '{"proxies": {"http-proxy": "http://p:1"}}')
  assert.deepEqual(config.metricsAddress, { host: '0.0.0.0', port: 9323 })
  assert.deepEqual(config.proxies, { HTTP_PROXY: 'http://p:1' })
  assert.deepEqual(load(['--no-proxy', 'a,b']).proxies, { NO_PROXY: 'a,b' })
  assert.throws(() => load(['--metrics-addr', 'x']), { code: 'INVALID_ARGUMENT' })
})

test('the document names the keys that have no effect', () => {
  const document = readFileSync(new URL('../../../../docs/api-compat.md', import.meta.url), 'utf8')
  const section = document.slice(document.indexOf('## Daemon configuration'))
  const list = section.slice(section.indexOf('at the start:'), section.indexOf('.\n\n'))
  const named = [...list.matchAll(/`([a-z0-9-]+)`/g)].map(([, key]) => key)
  const silent = OPTIONS.filter(({ help }) => help === undefined).map(({ key }) => key)
  assert.deepEqual(new Set(named), new Set(silent.filter((key) => key !== 'authorization-plugins')))
})
