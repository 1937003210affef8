import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseBytes } from './bytes.ts'
import { parseCpus } from './cpus.ts'
import { parseCsv } from './csv.ts'
import {
  isCdiDevice,
  parseDevice,
  parseGpus,
  parseThrottleBps,
  parseThrottleIops,
  parseWeightDevice,
} from './device.ts'
import { parseDuration } from './duration.ts'
import { parseKeyValueFile, readEnvironment } from './environment.ts'
import { checkDnsSearch, checkMacAddress, checkSysctl, parseExtraHost } from './hosts.ts'
import { ipamPools } from './ipam.ts'
import { parseMount } from './mount.ts'
import { networkEndpoints, parseNetwork } from './network.ts'
import { parsePublish, parsePublishedPorts } from './ports.ts'
import { familiarReference, parseReference, registryOf } from './reference.ts'
import { parseRestartPolicy } from './restart.ts'
import { parseSecurityOptions } from './security.ts'
import { parseTime } from './time.ts'
import { parseUlimit } from './ulimit.ts'
import { parseVolume } from './volume.ts'

/** One row per input: what it means, or the message. */
function table<T>(
  name: string,
  parse: (text: string) => T,
  rows: readonly (readonly [string, T | Error])[],
): void {
  describe(name, () => {
    for (const [text, expected] of rows) {
      it(JSON.stringify(text), () => {
        if (expected instanceof Error)
          assert.throws(() => parse(text), { message: expected.message })
        else assert.deepEqual(parse(text), expected)
      })
    }
  })
}

const no = (message: string): Error => new Error(message)

table('parseBytes', parseBytes, [
  ['512', 512],
  ['64m', 64 * 2 ** 20],
  ['64MB', 64 * 2 ** 20],
  ['1.5g', 1.5 * 2 ** 30],
  ['1GiB', 2 ** 30],
  ['10 kb', 10240],
  ['-1', -1],
  ['0', 0],
  ['abc', no("invalid size: 'abc'")],
  ['', no("invalid size: ''")],
  ['-5', no("invalid size: '-5'")],
  ['1z', no("invalid suffix: 'z'")],
  ['1bb', no("invalid suffix: 'bb'")],
])

table('parseCpus', parseCpus, [
  ['0.5', 500_000_000],
  ['2', 2_000_000_000],
  ['1/4', 250_000_000],
  ['1e-1', 100_000_000],
  ['0.0000000001', no('value is too precise')],
  ['1/3', no('value is too precise')],
  ['', no('failed to parse  as a rational number')],
  ['x', no('failed to parse x as a rational number')],
])

table('parseDuration', parseDuration, [
  ['0', 0],
  ['300ms', 300e6],
  ['1h30m', 5400e9],
  ['1.5s', 1.5e9],
  ['-2m', -120e9],
  ['5', no('time: missing unit in duration "5"')],
  ['1x', no('time: unknown unit "x" in duration "1x"')],
  ['foo', no('time: invalid duration "foo"')],
  ['', no('time: invalid duration ""')],
])

table('parseCsv', parseCsv, [
  ['a,b', ['a', 'b']],
  ['a,"b,c"', ['a', 'b,c']],
  ['"a""b",', ['a"b', '']],
  ['a"b', no('parse error on line 1, column 2: bare " in non-quoted-field')],
  ['"a', no('parse error on line 1, column 3: extraneous or missing " in quoted-field')],
])

const port = (port: string, hostPort = '', hostIp = ''): object => ({ port, hostIp, hostPort })
table<object[]>('parsePublish', parsePublish, [
  ['80', [port('80/tcp')]],
  ['8080:80', [port('80/tcp', '8080')]],
  ['8080:80/udp', [port('80/udp', '8080')]],
  ['127.0.0.1:8080:80', [port('80/tcp', '8080', '127.0.0.1')]],
  ['127.0.0.1::80', [port('80/tcp', '', '127.0.0.1')]],
  ['[::1]:8080:80', [port('80/tcp', '8080', '::1')]],
  ['::1:8080:80', [port('80/tcp', '8080', '::1')]],
  ['8000-8001:80-81', [port('80/tcp', '8000'), port('81/tcp', '8001')]],
  ['8000-8005:80', [port('80/tcp', '8000-8005')]],
  ['target=80,published=8080,protocol=udp', [port('80/udp', '8080')]],
  ['foo', no('invalid containerPort: foo')],
  ['x:80', no('invalid hostPort: x')],
  ['99999', no('invalid containerPort: 99999')],
  ['80-79', no('invalid containerPort: 80-79')],
  ['1-2:1-3', no('invalid ranges specified for container and host Ports: 1-3 and 1-2')],
  ['80:', no('no port specified: 80:<empty>')],
  ['80/foo', no('invalid proto: foo')],
  ['1.2.3:1:1', no('invalid IP address: 1.2.3')],
  ['a', no('invalid containerPort: a')],
  ['', no('no port specified: <empty>')],
])

describe('parsePublishedPorts', () => {
  it('collects the bindings of a port and exposes it', () => {
    assert.deepEqual(parsePublishedPorts(['80:80', '81:80'], ['90-91/udp']), {
      exposed: { '80/tcp': {}, '90/udp': {}, '91/udp': {} },
      bindings: {
        '80/tcp': [
          { HostIp: '', HostPort: '80' },
          { HostIp: '', HostPort: '81' },
        ],
      },
    })
  })
  it('refuses a host port to expose', () => {
    assert.throws(() => parsePublishedPorts([], ['1:2']), {
      message: 'invalid port format for --expose: 1:2',
    })
  })
})

table<object>('parseVolume', (text) => parseVolume(text, '/home/me'), [
  ['/data', { kind: 'anonymous', target: '/data' }],
  ['vol:/data', { kind: 'bind', bind: 'vol:/data' }],
  ['/a:/b:ro,z', { kind: 'bind', bind: '/a:/b:ro,z' }],
  ['./a:/b', { kind: 'bind', bind: '/home/me/a:/b' }],
  ['../a:/b:rshared', { kind: 'bind', bind: '/home/a:/b:rshared' }],
  ['', no('invalid empty volume spec')],
  [':/x', no('invalid spec: :/x: empty section between colons')],
  ['/a::ro', no('invalid spec: /a::ro: empty section between colons')],
  ['/a:/b:ro:x', no('invalid spec: /a:/b:ro:x: too many colons')],
])

table<object>('parseMount', (text) => parseMount(text, '/home/me'), [
  ['dst=/x', { Type: 'volume', Target: '/x' }],
  [
    'type=bind,src=.,target=/x,ro',
    { Type: 'bind', Source: '/home/me', Target: '/x', ReadOnly: true },
  ],
  [
    'type=bind,src=/a,dst=/b,bind-propagation=rslave,readonly=false',
    {
      Type: 'bind',
      Source: '/a',
      Target: '/b',
      BindOptions: { Propagation: 'rslave' },
      ReadOnly: false,
    },
  ],
  [
    'type=volume,src=v,dst=/x,volume-nocopy,volume-label=a=b,volume-opt=type=nfs,volume-opt=o=addr,volume-driver=local,volume-subpath=s',
    {
      Type: 'volume',
      Source: 'v',
      Target: '/x',
      VolumeOptions: {
        NoCopy: true,
        Labels: { a: 'b' },
        DriverConfig: { Name: 'local', Options: { type: 'nfs', o: 'addr' } },
        Subpath: 's',
      },
    },
  ],
  [
    'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770',
    { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 2 ** 20, Mode: 0o1770 } },
  ],
  ['type=bind,"src=/a,b",dst=/x', { Type: 'bind', Source: '/a,b', Target: '/x' }],
  [
    'type=bind,src=/a,dst=/b,bind-recursive=disabled',
    { Type: 'bind', Source: '/a', Target: '/b', BindOptions: { NonRecursive: true } },
  ],
  ['foo', no("invalid field 'foo' must be a key=value pair")],
  ['type=bind,foo=1', no("unexpected key 'foo' in 'foo=1'")],
  ['type=bind,src=/a', no('target is required')],
  ['type=,dst=/a', no('type is required')],
  [
    'type=bind,src=/a,dst=/b,volume-nocopy',
    no("cannot mix 'volume-*' options with mount type 'bind'"),
  ],
  ['type=tmpfs,dst=/x,tmpfs-mode=999', no('invalid value for tmpfs-mode: 999')],
  ['dst=/x,ro=maybe', no('invalid value for ro: maybe')],
  [
    'type=bind,src=/a,dst=/b,bind-recursive=writable',
    no("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"),
  ],
])

table<object>('parseDevice', parseDevice, [
  [
    '/dev/kmsg',
    { PathOnHost: '/dev/kmsg', PathInContainer: '/dev/kmsg', CgroupPermissions: 'rwm' },
  ],
  ['/dev/a:/dev/b', { PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'rwm' }],
  ['/dev/a:r', { PathOnHost: '/dev/a', PathInContainer: '/dev/a', CgroupPermissions: 'r' }],
  [
    '/dev/a:/dev/b:rw',
    { PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'rw' },
  ],
  [':x', no('bad format for path: :x')],
  ['x', no('x is not an absolute path')],
  ['/a:/b:q', no('bad mode specified: q')],
])

describe('devices', () => {
  it('knows a CDI name', () => {
    assert.equal(isCdiDevice('vendor.com/gpu=0'), true)
    assert.equal(isCdiDevice('/dev/x=0'), false)
  })
  it('reads limits of devices', () => {
    assert.deepEqual(parseThrottleBps('/dev/sda:1mb'), { Path: '/dev/sda', Rate: 2 ** 20 })
    assert.deepEqual(parseThrottleIops('/dev/sda:100'), { Path: '/dev/sda', Rate: 100 })
    assert.deepEqual(parseWeightDevice('/dev/sda:500'), { Path: '/dev/sda', Weight: 500 })
    assert.throws(() => parseThrottleBps('x'), { message: 'bad format: x' })
    assert.throws(() => parseThrottleIops('/x:1'), { message: 'bad format for device path: /x:1' })
    assert.throws(() => parseWeightDevice('/dev/x:5'), {
      message: 'invalid weight for device: /dev/x:5',
    })
  })
  it('reads gpu requests', () => {
    assert.deepEqual(parseGpus('all'), { Options: {}, Count: -1, Capabilities: [['gpu']] })
    assert.deepEqual(parseGpus('"device=0,2",driver=nvidia'), {
      Options: {},
      DeviceIDs: ['0', '2'],
      Driver: 'nvidia',
      Capabilities: [['gpu']],
    })
    assert.throws(() => parseGpus('x=y'), { message: "unexpected key 'x' in 'x=y'" })
  })
})

table<object>('parseUlimit', parseUlimit, [
  ['nofile=1024', { Name: 'nofile', Soft: 1024, Hard: 1024 }],
  ['nofile=1:2', { Name: 'nofile', Soft: 1, Hard: 2 }],
  ['core=-1', { Name: 'core', Soft: -1, Hard: -1 }],
  ['core=unlimited', { Name: 'core', Soft: -1, Hard: -1 }],
  ['a', no('invalid ulimit argument: a')],
  ['foo=1', no('invalid ulimit type: foo')],
  ['nofile=2:1', no('ulimit soft limit must be less than or equal to hard limit: 2 > 1')],
  ['nofile=x', no('strconv.ParseInt: parsing "x": invalid syntax')],
])

table('parseExtraHost', parseExtraHost, [
  ['db:10.0.0.1', 'db:10.0.0.1'],
  ['db=10.0.0.1', 'db:10.0.0.1'],
  ['db=[::1]', 'db:::1'],
  ['db:::1', 'db:::1'],
  ['host:host-gateway', 'host:host-gateway'],
  ['a', no('bad format for add-host: "a"')],
  [':1.2.3.4', no('bad format for add-host: ":1.2.3.4"')],
  ['a:b', no('invalid IP address in add-host: "b"')],
])

describe('names and addresses', () => {
  it('judges search domains', () => {
    checkDnsSearch('.')
    checkDnsSearch('a.example.com')
    assert.throws(() => checkDnsSearch('a b'), { message: 'a b is not a valid domain' })
  })
  it('judges MAC addresses', () => {
    checkMacAddress('92:d0:c6:0a:29:33')
    assert.throws(() => checkMacAddress('foo'), { message: 'foo is not a valid mac address' })
  })
  it('judges sysctls', () => {
    checkSysctl('net.core.somaxconn=1')
    assert.throws(() => checkSysctl('kernel.panic=1'), {
      message: "sysctl 'kernel.panic=1' is not allowed",
    })
  })
})

describe('networks', () => {
  const none = { aliases: [], links: [], ip: '', ip6: '', linkLocalIps: [], macAddress: '' }
  it('reads the long form', () => {
    assert.deepEqual(
      parseNetwork('name=n,alias=A,alias=b,ip=1.2.3.4,driver-opt=x=y,gw-priority=-1'),
      {
        target: 'n',
        endpoint: {
          Aliases: ['a', 'b'],
          IPAMConfig: { IPv4Address: '1.2.3.4' },
          DriverOpts: { x: 'y' },
          GwPriority: -1,
        },
      },
    )
  })
  it('gives the options beside it to the first network', () => {
    assert.deepEqual(networkEndpoints(['a', 'b'], { ...none, aliases: ['x'], ip: '1.2.3.4' }), {
      mode: 'a',
      endpoints: { a: { Aliases: ['x'], IPAMConfig: { IPv4Address: '1.2.3.4' } }, b: {} },
    })
  })
  it('leaves a single plain network to the mode', () => {
    assert.deepEqual(networkEndpoints(['host'], none), { mode: 'host', endpoints: {} })
    assert.deepEqual(networkEndpoints([], none), { mode: 'default', endpoints: {} })
  })
  it('refuses contradictions', () => {
    assert.throws(() => networkEndpoints(['a', 'a'], none), {
      message: 'network "a" is specified multiple times',
    })
    assert.throws(
      () => networkEndpoints(['host', 'a'], none),
      /both user-defined and non-user-defined/,
    )
    assert.throws(() => networkEndpoints(['name=x,alias=a'], { ...none, aliases: ['b'] }), {
      message: 'conflicting options: cannot specify both --network-alias and per-network alias',
    })
  })
  it('sorts gateways and ranges to their subnets', () => {
    assert.deepEqual(
      ipamPools({
        subnets: ['10.1.0.0/16', 'fd00::/64'],
        ranges: ['10.1.2.0/24'],
        gateways: ['fd00::1'],
        auxiliary: { r: '10.1.0.9' },
      }),
      [
        { Subnet: '10.1.0.0/16', IPRange: '10.1.2.0/24', AuxiliaryAddresses: { r: '10.1.0.9' } },
        { Subnet: 'fd00::/64', Gateway: 'fd00::1' },
      ],
    )
    assert.throws(
      () =>
        ipamPools({ subnets: ['10.1.0.0/16'], ranges: [], gateways: ['10.2.0.1'], auxiliary: {} }),
      {
        message: 'no matching subnet for gateway 10.2.0.1',
      },
    )
  })
})

table<object>('parseRestartPolicy', parseRestartPolicy, [
  ['', { Name: 'no', MaximumRetryCount: 0 }],
  ['on-failure:3', { Name: 'on-failure', MaximumRetryCount: 3 }],
  ['always', { Name: 'always', MaximumRetryCount: 0 }],
  ['on-failure:x', no('invalid restart policy format: maximum retry count must be an integer')],
  [':1', no('invalid restart policy format: no policy provided before colon')],
])

table('familiarReference', familiarReference, [
  ['busybox', 'busybox:latest'],
  ['busybox:1', 'busybox:1'],
  ['docker.io/library/busybox', 'busybox:latest'],
  ['docker.io/me/x', 'me/x:latest'],
  ['localhost:5000/a/b:v1', 'localhost:5000/a/b:v1'],
  [`x@sha256:${'a'.repeat(64)}`, `x@sha256:${'a'.repeat(64)}`],
  ['', no('invalid reference format')],
  ['Foo', no('invalid reference format: repository name (library/Foo) must be lowercase')],
  ['a:b:c', no('invalid reference format')],
  ['a//b', no('invalid reference format')],
  ['-x', no('invalid reference format')],
  [
    'a'.repeat(64),
    no(`invalid repository name (${'a'.repeat(64)}), cannot specify 64-byte hexadecimal strings`),
  ],
])

describe('references', () => {
  it('finds the registry', () => {
    assert.equal(registryOf('busybox'), 'https://index.docker.io/v1/')
    assert.equal(registryOf('me/x'), 'https://index.docker.io/v1/')
    assert.equal(registryOf('localhost/x'), 'localhost')
    assert.equal(registryOf('reg.example.com:5000/x'), 'reg.example.com:5000')
  })
  it('keeps tag and digest apart', () => {
    assert.deepEqual(parseReference(`a/b:t@sha256:${'0'.repeat(64)}`), {
      name: 'a/b',
      tag: 't',
      digest: `sha256:${'0'.repeat(64)}`,
    })
  })
})

describe('environment files', () => {
  const parse = (text: string | Buffer): string[] =>
    parseKeyValueFile(Buffer.from(text), 'f', (key) => (key === 'OWN' ? 'v' : undefined))
  it('reads lines without quotes and expansion', () => {
    assert.deepEqual(parse('\uFEFFA=1\r\n  # comment\n\n  B="x y" \nC=\nOWN\nMISSING\nD=a=b'), [
      'A=1',
      'B="x y" ',
      'C=',
      'OWN=v',
      'D=a=b',
    ])
  })
  it('names the file and the line', () => {
    assert.throws(() => parse('A B=1'), {
      message: "invalid env file (f): variable 'A B' contains whitespaces",
    })
    assert.throws(() => parse('=1'), {
      message: "invalid env file (f): no variable name on line '=1'",
    })
    assert.throws(() => parse(Buffer.from([0x41, 0x3d, 0xff])), /invalid utf8/)
  })
  it('takes a bare name from the client', () => {
    assert.deepEqual(readEnvironment([], ['A=1', 'B', 'C'], { B: '2' }), ['A=1', 'B=2', 'C'])
  })
})

describe('security options', () => {
  it('passes names on, unmasks paths, refuses the rest', () => {
    assert.deepEqual(
      parseSecurityOptions(['no-new-privileges', 'seccomp=unconfined', 'systempaths=unconfined']),
      {
        options: ['no-new-privileges', 'seccomp=unconfined'],
        systemPaths: [],
      },
    )
    assert.throws(() => parseSecurityOptions(['foo']), { message: 'Invalid --security-opt: "foo"' })
    assert.throws(() => parseSecurityOptions(['seccomp=/nope']), {
      message: 'opening seccomp profile (/nope) failed: open /nope: no such file or directory',
    })
  })
})

table('parseTime', (text) => parseTime(text, Date.UTC(2026, 0, 1)), [
  ['10m', '1767225000.000000000'],
  ['1700000000.5', '1700000000.5'],
  ['0', '0'],
  ['2013-01-02T13:23:37Z', '1357133017.000000000'],
  ['2013-01-02T13:23:37.123456789+01:00', '1357129417.123456789'],
  ['foo', no('failed to parse value as time or duration: "foo"')],
])
