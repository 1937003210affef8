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
