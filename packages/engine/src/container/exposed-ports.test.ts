import assert from 'node:assert/strict'
import { test } from 'node:test'
import { portBindings } from './connect-networks.ts'
import type { ContainerRecord } from './container.ts'
import { exposedPorts } from './exposed-ports.ts'

test('a range is exposed port by port', () => {
  assert.deepEqual(exposedPorts({ ExposedPorts: { '80': {}, '8000-8001/udp': {} } }), [
    { port: 80, protocol: 'tcp' },
    { port: 8000, protocol: 'udp' },
    { port: 8001, protocol: 'udp' },
  ])
  assert.deepEqual(exposedPorts({}), [])
})

test('ports that are in many ranges are exposed once, and soon', () => {
  const keys = ['9000-9002/tcp', '9001-9003/tcp', '9002/tcp', '9001/udp', '8999-9004/tcp']
  const exposed = (names: readonly string[]): Record<string, object> =>
    Object.fromEntries(names.map((name) => [name, {}]))
  assert.deepEqual(
    exposedPorts({ ExposedPorts: exposed(keys) }).map(
      ({ port, protocol }) => `${port}/${protocol}`,
    ),
    ['9000/tcp', '9001/tcp', '9002/tcp', '9003/tcp', '9001/udp', '8999/tcp', '9004/tcp'],
  )
  const wide = Array.from({ length: 20_000 }, (_, n) => `${1 + n}-${65_535 - n}/tcp`)
  // One by one they were 900 million, more than an array holds.
  assert.equal(exposedPorts({ ExposedPorts: exposed(wide) }).length, 65_535)
})

test('all exposed ports are published, those of a range too, and none twice', () => {
  const container = {
    config: { ExposedPorts: { '8000-8002/tcp': {}, '8001/udp': {} } },
    hostConfig: { PublishAllPorts: true, PortBindings: { '8001/tcp': [{ HostPort: '9' }] } },
  } as unknown as ContainerRecord
  const texts = portBindings(container).map(
    ({ containerPort, protocol, hostPort }) => `${hostPort}:${containerPort}/${protocol}`,
  )
  assert.deepEqual(texts, ['9:8001/tcp', ':8000/tcp', ':8002/tcp', ':8001/udp'])
})
