import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CreateNetworkOptions, planNetwork } from './create.ts'
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
    { code: 'FORBIDDEN', message: /^Pool overlaps with other one on this address space$/ },
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
}

function plan(
  o: CreateNetworkOptions,
  defaults = NETWORK_DEFAULTS,
): ReturnType<typeof planNetwork> {
  return planNetwork(o, { networks: [old], hostSubnets: [], defaults, createdAtNs: 1n })
}
