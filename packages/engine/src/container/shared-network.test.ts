import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointConfig } from '@ctr/api'
import { assertJoinsOther, withoutSharedEndpoint } from './shared-network.ts'

const NetworkMode = 'container:x'
const shared = (own: EndpointConfig): unknown =>
  withoutSharedEndpoint({ NetworkMode }, { EndpointsConfig: { [NetworkMode]: own, net: {} } })

test('an endpoint named after --network container:X is not kept', () => {
  assert.deepEqual(shared({}), { EndpointsConfig: { net: {} } })
  assert.deepEqual(shared({ Aliases: ['a'] }), { EndpointsConfig: { net: {} } })
  const other = { EndpointsConfig: { 'container:y': {} } }
  assert.equal(withoutSharedEndpoint({ NetworkMode }, other), other)
  assert.equal(withoutSharedEndpoint({ NetworkMode: 'net' }, other), other)
})

test('nor can it have addresses', () => {
  assert.throws(() => shared({ MacAddress: '92:d0:c6:0a:29:33' }), {
    code: 'INVALID_ARGUMENT',
    message: 'conflicting options: mac-address and the network mode',
  })
  for (const IPAMConfig of [{ IPv4Address: '10.0.0.9' }, { IPv6Address: 'fd00::9' }]) {
    assert.throws(() => shared({ IPAMConfig }), {
      message: 'user specified IP address is supported on user defined networks only',
    })
  }
})

test('a container cannot join its own network', () => {
  assertJoinsOther({ NetworkMode }, 'y')
  assertJoinsOther({ NetworkMode: 'x' }, 'x')
  assert.throws(() => assertJoinsOther({ NetworkMode }, 'x'), {
    message: 'cannot join own network',
  })
})
