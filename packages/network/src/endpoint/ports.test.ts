import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocatePorts, EPHEMERAL_LAST, type PortBinding, type PortFacts } from './ports.ts'

const endpoint = { name: 'web', id: 'e1' }

test('no address means all addresses of both families, on one port', () => {
  assert.deepEqual(allocatePorts([binding({ hostPort: '8080' })], facts({}), endpoint), [
    { protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: 8080 },
    { protocol: 'tcp', containerPort: 80, hostIp: '::', hostPort: 8080 },
  ])
})

test('a host without IPv6 gets no IPv6 binding', () => {
  const [only, ...rest] = allocatePorts([binding({})], facts({ hasIpv6: false }), endpoint)
  assert.equal(only?.hostIp, '0.0.0.0')
  assert.deepEqual(rest, [])
})

test('any port: the next free one, not the same again', () => {
  const state = facts({ busy: [32768, 32770] })
  const ports = allocatePorts([binding({}), binding({ hostPort: '0' })], state, endpoint)
  assert.deepEqual([...new Set(ports.map((port) => port.hostPort))], [32769, 32771])
  assert.equal(allocatePorts([binding({})], state, endpoint)[0]?.hostPort, 32772)
})

test('any port and a range leave the port that another binding names', () => {
  const bindings = [
    binding({}),
    binding({ containerPort: 81, hostPort: '32768-32769' }),
    binding({ containerPort: 82, hostPort: '32768' }),
  ]
  const state = facts({ hasIpv6: false })
  state.nextEphemeral = 32768
  const ports = allocatePorts(bindings, state, endpoint)
  assert.deepEqual(Object.fromEntries(ports.map((p) => [p.containerPort, p.hostPort])), {
    80: 32770,
    81: 32769,
    82: 32768,
  })
})

test('the search for any port wraps around', () => {
  const state = facts({ busy: [EPHEMERAL_LAST] })
  state.nextEphemeral = EPHEMERAL_LAST
  assert.equal(allocatePorts([binding({})], state, endpoint)[0]?.hostPort, 32768)
})

test('a range: the first port of it that is free everywhere', () => {
  const state = facts({ busy: [8000], taken: ['tcp 0.0.0.0 8001'] })
  assert.equal(
    allocatePorts([binding({ hostPort: '8000-8005' })], state, endpoint)[0]?.hostPort,
    8002,
  )
})

test('a taken port gives the text of Docker', () => {
  const state = facts({ taken: ['tcp 0.0.0.0 8080'] })
  assert.throws(() => allocatePorts([binding({ hostPort: '8080' })], state, endpoint), {
    message:
      'driver failed programming external connectivity on endpoint web (e1): Bind for 0.0.0.0:8080 failed: port is already allocated',
  })
})

test('one container cannot have a port twice, but may have it for tcp, udp and sctp and on two addresses', () => {
  const twice = [binding({ hostPort: '9000' }), binding({ hostPort: '9000', hostIp: '127.0.0.1' })]
  assert.throws(() => allocatePorts(twice, facts({}), endpoint), /127.0.0.1:9000 failed/)
  const fine = [
    binding({ hostPort: '9000', hostIp: '127.0.0.1' }),
    binding({ hostPort: '9000', hostIp: '127.0.0.2' }),
    binding({ hostPort: '9000', protocol: 'udp' }),
    binding({ hostPort: '9000', protocol: 'sctp' }),
  ]
  assert.equal(allocatePorts(fine, facts({}), endpoint).length, 6)
})

const invalid: [Partial<PortBinding>, RegExp][] = [
  [{ protocol: 'icmp' }, /invalid proto: icmp/],
  [{ hostPort: '99999' }, /invalid port 99999/],
  [{ hostPort: '8005-8000' }, /invalid port specification/],
  [{ hostPort: 'http' }, /invalid port specification/],
  [{ containerPort: 0 }, /invalid port 0/],
  [{ containerPort: 65536 }, /invalid port 65536/],
  [{ hostIp: 'localhost' }, /invalid IP address: localhost/],
]
for (const [part, message] of invalid) {
  test(`${JSON.stringify(part)} is refused`, () => {
    assert.throws(() => allocatePorts([binding(part)], facts({}), endpoint), {
      code: 'INVALID_ARGUMENT',
      message,
    })
  })
}

test('an IPv6 address may stand in brackets', () => {
  const [port] = allocatePorts([binding({ hostIp: '[::1]', hostPort: '80' })], facts({}), endpoint)
  assert.equal(port?.hostIp, '::1')
})

function binding(part: Partial<PortBinding>): PortBinding {
  return { protocol: 'tcp', containerPort: 80, hostIp: '', hostPort: '', ...part }
}

function facts(o: { busy?: number[]; taken?: string[]; hasIpv6?: boolean }): PortFacts {
  return {
    isTaken: (protocol, hostIp, port) => (o.taken ?? []).includes(`${protocol} ${hostIp} ${port}`),
    isFree: (_protocol, _address, port) => !(o.busy ?? []).includes(port),
    hasIpv6: o.hasIpv6 ?? true,
    nextEphemeral: 32768,
  }
}
