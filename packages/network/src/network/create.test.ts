import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planNetwork } from './create.ts'
import type { CreateNetworkOptions } from './create-options.ts'
import { NETWORK_DEFAULTS } from './defaults.ts'
import type { Network } from './network.ts'

test('a network without wishes gets the first free pool and a bridge named after its id', () => {
  const network = plan({ name: 'n1' })
  assert.match(network.id, /^[0-9a-f]{64}$/)
  assert.equal(network.bridge, `br-${network.id.slice(0, 12)}`)
  assert.deepEqual(network.pools, [
    {
      subnet: '172.17.0.0/16',
      gateway: '172.17.0.1',
      ipRange: undefined,
      auxAddresses: {},
      isExplicit: false,
    },
  ])
})

test('the pool of IPv4 is the first, whatever was asked for first', () => {
  const ipam = [{ subnet: 'fd72::/64' }, { subnet: '203.0.113.0/24' }]
  const { pools } = plan({ name: 'n1', enableIpv6: true, ipam })
  assert.deepEqual(
    pools.map(({ subnet }) => subnet),
    ['203.0.113.0/24', 'fd72::/64'],
  )
})

test('subnet, gateway, range, auxiliary addresses and options are taken over in canonical form', () => {
  const network = plan({
    name: 'n1',
    ipam: [
      {
        subnet: '10.72.0.9/24',
        gateway: '10.72.0.254',
        ipRange: '10.72.0.128/25',
        auxAddresses: { printer: '10.72.0.200' },
      },
    ],
    options: { 'com.docker.network.bridge.name': 'mybr', 'com.docker.network.driver.mtu': '1400' },
  })
  assert.equal(network.bridge, 'mybr')
  assert.deepEqual(network.pools, [
    {
      subnet: '10.72.0.0/24',
      gateway: '10.72.0.254',
      ipRange: '10.72.0.128/25',
      auxAddresses: { printer: '10.72.0.200' },
      isExplicit: true,
    },
  ])
})

test('IPv6 comes with its own subnet, given or made up, beside IPv4', () => {
  const made = plan({ name: 'n1', enableIpv6: true })
  assert.match(made.pools[1]?.subnet ?? '', /^fd.*::\/64$/)
  assert.equal(made.hasIpv6, true)
  const given = plan({ name: 'n1', ipam: [{ subnet: 'fd00:9::/64' }] })
  assert.deepEqual(
    given.pools.map((pool) => pool.gateway),
    ['172.17.0.1', 'fd00:9::1'],
  )
})

test('without IPv4 it has IPv6 alone, and has to', () => {
  const made = plan({
    name: 'n1',
    enableIpv4: false,
    enableIpv6: true,
    ipam: [{ subnet: '10.72.0.0/24' }],
  })
  assert.equal(made.pools.length, 1)
  assert.match(made.pools[0]?.subnet ?? '', /^fd.*::\/64$/)
  assert.throws(() => plan({ name: 'n1', enableIpv4: false, ipam: [{ subnet: 'fd00:9::/64' }] }), {
    code: 'INVALID_ARGUMENT',
    message: 'IPv4 or IPv6 must be enabled',
  })
})

test('gateway modes are those of Docker 28, isolated for internal networks', () => {
  const key = 'com.docker.network.bridge.gateway_mode_ipv4'
  for (const mode of ['nat', 'nat-unprotected', 'routed']) {
    assert.equal(plan({ name: 'n1', options: { [key]: mode } }).options[key], mode)
  }
  plan({ name: 'n1', isInternal: true, options: { [key]: 'isolated' } })
  assert.throws(() => plan({ name: 'n1', options: { [key]: 'isolated' } }), {
    message: "gateway mode 'isolated' can only be used for an internal network",
  })
  assert.throws(() => plan({ name: 'n1', options: { [key]: 'nope' } }), {
    message: `failed to parse ${key} value: nope (unknown gateway mode nope)`,
  })
})

test('a name is what Docker takes: anything that is not blank', () => {
  for (const name of ['_n', '-n', '.n', 'a b', 'a/b', 'ü', 'x'.repeat(255)]) {
    assert.equal(plan({ name }).name, name)
  }
})

const refused: [string, CreateNetworkOptions, { code: string; message: RegExp }][] = [
  [
    'a bogus subnet',
    { name: 'n', ipam: [{ subnet: 'bogus' }] },
    { code: 'INVALID_ARGUMENT', message: /invalid CIDR/ },
  ],
  [
    'an overlap',
    { name: 'n', ipam: [{ subnet: '10.9.9.0/24' }] },
    {
      code: 'FORBIDDEN',
      message: /^invalid pool request: Pool overlaps with other one on this address space$/,
    },
  ],
  [
    'an overlap with itself',
    { name: 'n', ipam: [{ subnet: '10.1.0.0/16' }, { subnet: '10.1.2.0/24' }] },
    { code: 'FORBIDDEN', message: /Pool overlaps/ },
  ],
  [
    'two IPv4 subnets',
    { name: 'n', ipam: [{ subnet: '10.1.0.0/16' }, { subnet: '10.2.0.0/16' }] },
    { code: 'INVALID_ARGUMENT', message: /multiple subnets/ },
  ],
  [
    'a gateway outside',
    { name: 'n', ipam: [{ subnet: '10.1.0.0/16', gateway: '10.2.0.1' }] },
    { code: 'INVALID_ARGUMENT', message: /gateway 10\.2\.0\.1/ },
  ],
  [
    'a range outside',
    { name: 'n', ipam: [{ subnet: '10.1.0.0/16', ipRange: '10.0.0.0/8' }] },
    { code: 'INVALID_ARGUMENT', message: /ip-range/ },
  ],
  [
    'a gateway without a subnet',
    { name: 'n', ipam: [{ gateway: '10.2.0.1' }] },
    { code: 'INVALID_ARGUMENT', message: /needs a subnet/ },
  ],
  [
    'a name in use',
    { name: 'old' },
    { code: 'CONFLICT', message: /^network with name old already exists$/ },
  ],
  [
    'a predefined name',
    { name: 'bridge' },
    { code: 'FORBIDDEN', message: /predefined bridge network/ },
  ],
  ['an empty name', { name: '' }, { code: 'INVALID_ARGUMENT', message: /invalid network name/ }],
  ...[' ', 'a\nb', 'a\0', '__proto__', 'x'.repeat(256)].map((name): (typeof refused)[number] => [
    `the name ${JSON.stringify(name.slice(0, 20))}`,
    { name },
    { code: 'INVALID_ARGUMENT', message: /invalid network name/ },
  ]),
  ['an unknown driver', { name: 'n', driver: 'bogus' }, { code: 'NOT_FOUND', message: /plugin/ }],
  [
    'a second host network',
    { name: 'n', driver: 'host' },
    { code: 'FORBIDDEN', message: /only one instance of "host"/ },
  ],
  [
    'a link name with a quote',
    { name: 'n', options: { 'com.docker.network.bridge.name': 'a"b' } },
    { code: 'INVALID_ARGUMENT', message: /invalid bridge name/ },
  ],
  [
    'a long link name',
    { name: 'n', options: { 'com.docker.network.bridge.name': 'x'.repeat(16) } },
    { code: 'INVALID_ARGUMENT', message: /invalid bridge name/ },
  ],
  [
    'the link of another network',
    { name: 'n', options: { 'com.docker.network.bridge.name': 'brold' } },
    { code: 'FORBIDDEN', message: /same bridge name/ },
  ],
  [
    'a configuration that there is not',
    { name: 'n', configFrom: 'old' },
    { code: 'NOT_FOUND', message: /^configuration network "old" does not exist$/ },
  ],
  [
    'a configuration of a configuration',
    { name: 'n', isConfigOnly: true, configFrom: 'kept' },
    { code: 'FORBIDDEN', message: /cannot depend on another configuration network/ },
  ],
  [
    'a configuration that is internal',
    { name: 'n', isConfigOnly: true, isInternal: true },
    { code: 'FORBIDDEN', message: /can only contain network specific fields/ },
  ],
  [
    'a configuration that cannot be',
    { name: 'n', isConfigOnly: true, ipam: [{ gateway: '10.0.0.1' }] },
    { code: 'INVALID_ARGUMENT', message: /invalid subnet/ },
  ],
  [
    'a label beside a configuration',
    { name: 'n', configFrom: 'kept', labels: { a: 'b' } },
    { code: 'FORBIDDEN', message: /^user specified configurations are not supported/ },
  ],
  [
    'an option beside a configuration',
    { name: 'n', configFrom: 'kept', options: { a: 'b' } },
    { code: 'FORBIDDEN', message: /^network driver options are not supported/ },
  ],
  [
    'an impossible MTU',
    { name: 'n', options: { 'com.docker.network.driver.mtu': '9e9' } },
    { code: 'INVALID_ARGUMENT', message: /mtu/ },
  ],
]
for (const [name, options, error] of refused) {
  test(`${name} is refused`, () => assert.throws(() => plan(options), error))
}

const old: Network = {
  id: 'f'.repeat(64),
  name: 'old',
  driver: 'bridge',
  createdAtNs: 0n,
  bridge: 'brold',
  isForeign: false,
  isInternal: false,
  isAttachable: false,
  hasIpv6: false,
  options: {},
  labels: {},
  pools: [
    {
      subnet: '10.9.0.0/16',
      gateway: '10.9.0.1',
      ipRange: undefined,
      auxAddresses: {},
      isExplicit: true,
    },
  ],
  ipamOptions: undefined,
  configFrom: '',
  configuration: undefined,
}

const kept: Network = {
  ...old,
  name: 'kept',
  bridge: undefined,
  driver: 'null',
  pools: [],
  options: { a: 'b' },
  labels: { c: 'd' },
  ipamOptions: { e: 'f' },
  configuration: [{ subnet: '10.7.0.0/24', ipRange: '10.7.0.128/25' }],
}

test('a network has the configuration of another one', () => {
  const made = plan({ name: 'n', configFrom: 'kept', isInternal: true })
  assert.deepEqual(
    [made.configFrom, made.options, made.labels, made.ipamOptions, made.isInternal],
    ['kept', { a: 'b' }, { c: 'd' }, { e: 'f' }, true],
  )
  assert.equal(made.pools[0]?.subnet, '10.7.0.0/24')
  assert.equal(made.configuration, undefined)
})

function plan(
  o: CreateNetworkOptions,
  defaults = NETWORK_DEFAULTS,
): ReturnType<typeof planNetwork> {
  return planNetwork(o, { networks: [old, kept], hostSubnets: [], defaults, createdAtNs: 1n })
}
