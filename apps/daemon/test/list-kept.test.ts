/** Most of a list's text is kept from one list to the next. With sizes it is rendered anew: the two must never differ. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ContainerSummary } from '@ctr/api'
import { freePort, requires, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'

const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon()
})
after(async () => await daemon?.[Symbol.asyncDispose]())

async function call(method: string, path: string, body?: object): Promise<string> {
  const { status, text } = await daemon.request(method, path, body)
  assert.ok(status < 300, `${method} ${path}: ${status} ${text}`)
  return text
}

async function create(name: string, body: object = {}): Promise<void> {
  await call('POST', `/containers/create?name=${name}`, {
    Image: 'busybox',
    Cmd: ['sleep', '1000'],
    ...body,
  })
}

/** All containers as the list tells them; asserts that it tells what one without kept texts does. */
async function list(version = ''): Promise<ContainerSummary[]> {
  const kept = JSON.parse(await call('GET', `${version}/containers/json?all=1`))
  const anew = JSON.parse(await call('GET', `${version}/containers/json?all=1&size=1`))
  for (const one of anew) {
    delete one.SizeRw
    delete one.SizeRootFs
  }
  // The time goes on between the two.
  for (const one of [...kept, ...anew])
    one.Status = one.Status.replace(/\b(\d+|Less than a) second.*/, '')
  assert.deepEqual(kept, anew)
  assert.deepEqual(
    kept.map((one: object) => Object.keys(one)),
    anew.map((one: object) => Object.keys(one)),
  )
  return kept
}

async function listed(name: string, version = ''): Promise<ContainerSummary> {
  const found = (await list(version)).find(({ Names }) => Names?.includes(`/${name}`))
  assert.ok(found, name)
  return found
}

test('a list tells what has changed since the last one', { skip }, async () => {
  const port = await freePort()
  await create('target', {
    Labels: { k: 'v' },
    ExposedPorts: { '80/tcp': {} },
    HostConfig: { PortBindings: { '80/tcp': [{ HostPort: `${port}` }] } },
  })
  assert.deepEqual((await listed('target')).Ports, [])
  assert.equal((await listed('target')).Status, 'Created')

  await call('POST', '/containers/target/start')
  const running = await listed('target')
  assert.equal(running.State, 'running')
  assert.ok(running.Ports?.some(({ PublicPort }) => PublicPort === port))
  assert.match(running.NetworkSettings?.Networks?.['bridge']?.IPAddress ?? '', /^\d/)

  await create('other', { HostConfig: { Links: ['target:db'] } })
  assert.deepEqual((await listed('target')).Names, ['/target', '/other/db'])
  await call('POST', '/containers/other/rename?name=parent')
  assert.deepEqual((await listed('target')).Names, ['/target', '/parent/db'])
  await call('DELETE', '/containers/parent/db?link=1')
  assert.deepEqual((await listed('target')).Names, ['/target'])
  await create('again', { HostConfig: { Links: ['target:db'] } })
  await call('DELETE', '/containers/again')
  assert.deepEqual((await listed('target')).Names, ['/target'])

  await call('POST', '/networks/create', { Name: 'more' })
  await call('POST', '/networks/more/connect', { Container: 'target' })
  assert.deepEqual(Object.keys((await listed('target')).NetworkSettings?.Networks ?? {}), [
    'bridge',
    'more',
  ])
  await call('POST', '/networks/more/disconnect', { Container: 'target' })
  assert.deepEqual(Object.keys((await listed('target')).NetworkSettings?.Networks ?? {}), [
    'bridge',
  ])

  await call('POST', '/containers/target/pause')
  assert.match((await listed('target')).Status ?? '', /\(Paused\)$|^Up $/)
  assert.equal((await listed('target')).State, 'paused')
  await call('POST', '/containers/target/unpause')
  await call('POST', '/containers/target/rename?name=renamed')
  assert.deepEqual((await listed('renamed')).Names, ['/renamed'])

  await call('POST', '/containers/renamed/kill')
  await call('POST', '/containers/renamed/wait')
  const ended = await listed('renamed')
  assert.deepEqual([ended.State, ended.Ports], ['exited', []])
  await call('DELETE', '/containers/renamed')
  assert.deepEqual(
    (await list()).map(({ Names }) => Names),
    [['/parent']],
  )
})

test('a list follows the name of the image, the version and the health', { skip }, async () => {
  await create('healthy', {
    Healthcheck: { Test: ['CMD', 'test', '-e', '/up'], Interval: 1e9, Retries: 100 },
    HostConfig: { NetworkMode: 'none', Annotations: { a: 'b' } },
  })
  await call('POST', '/containers/healthy/start')
  const first = await listed('healthy')
  assert.equal(first.Image, 'busybox')
  assert.match(first.Status ?? '', /^Up/)

  assert.deepEqual((await listed('healthy', '/v1.46')).HostConfig?.Annotations, { a: 'b' })
  assert.equal((await listed('healthy', '/v1.45')).HostConfig?.Annotations, undefined)

  const healthOf = async (): Promise<string> => {
    const text = await call('GET', '/containers/json?filters={"name":["healthy"]}')
    return /\((.*)\)/.exec(JSON.parse(text)[0].Status)?.[1] ?? ''
  }
  assert.equal(await healthOf(), 'health: starting')
  const exec = JSON.parse(await call('POST', '/containers/healthy/exec', { Cmd: ['touch', '/up'] }))
  await call('POST', `/exec/${exec.Id}/start`, { Detach: true })
  await waitFor('the container is healthy', async () => (await healthOf()) === 'healthy')

  // Its name stands for another image now.
  const commit = JSON.parse(await call('POST', '/commit?container=healthy&repo=another'))
  await call('POST', `/images/${commit.Id}/tag?repo=busybox`)
  assert.equal((await listed('healthy')).Image, first.ImageID)
  await call('POST', `/images/${first.ImageID}/tag?repo=busybox`)
  assert.equal((await listed('healthy')).Image, 'busybox')
  await call('DELETE', '/containers/healthy?force=1')
})
