import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkDnsSearch, checkMacAddress, checkSysctl, parseExtraHost } from './hosts.ts'
import { ipamPools } from './ipam.ts'
import { networkEndpoints, parseNetwork } from './network.ts'
import { parsePublish, parsePublishedPorts } from './ports.ts'
import { no, table } from './table-fixture.ts'

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
  it('knows networks with the name of a method', () => {
    assert.deepEqual(networkEndpoints(['constructor'], none).mode, 'constructor')
    const { endpoints } = networkEndpoints(['toString', 'constructor'], none)
    assert.deepEqual(Object.keys(endpoints), ['toString', 'constructor'])
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
