import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ContainerInspect, ContainerSummary } from '@ctr/api'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

const skip = requires({ root: true })
let daemon: TestDaemon
before(async () => {
  if (skip === false) daemon = await startDaemon({ bridge: false })
})
after(async () => await daemon?.[Symbol.asyncDispose]())

let names = 0
async function create(body: object = {}, prefix = ''): Promise<string> {
  names += 1
  const name = `c${names}-test`
  const { status, text } = await daemon.request(
    'POST',
    `${prefix}/containers/create?name=${name}`,
    {
      Image: 'busybox',
      Cmd: ['sleep', '1000'],
      ...body,
    },
  )
  assert.equal(status, 201, text)
  return name
}

async function inspect(name: string, prefix = ''): Promise<ContainerInspect> {
  const { status, text } = await daemon.request('GET', `${prefix}/containers/${name}/json`)
  assert.equal(status, 200, text)
  return JSON.parse(text)
}

test('create answers with id and warnings, inspect with what was asked for', { skip }, async () => {
  const name = await create({
    Env: ['A=1'],
    Labels: { l: 'v' },
    HostConfig: {
      Memory: 64_000_000,
      Binds: null,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
    },
  })
  const container = await inspect(name)
  assert.match(container.Id, /^[0-9a-f]{64}$/)
  assert.equal(container.Name, `/${name}`)
  assert.equal(container.State.Status, 'created')
  assert.equal(container.State.StartedAt, '0001-01-01T00:00:00Z')
  assert.equal(container.HostConfig.Memory, 64_000_000)
  assert.equal(container.HostConfig.Binds, null)
  assert.deepEqual(container.HostConfig.RestartPolicy, { Name: 'on-failure', MaximumRetryCount: 2 })
  assert.equal(container.Config.Labels?.['l'], 'v')
  assert.equal(container.Config.Hostname, container.Id.slice(0, 12))
  assert.equal(container.ExecIDs, null)
})

test('the life of a container in status codes', { skip }, async () => {
  const name = await create()
  const codes: [string, string, number][] = [
    ['POST', `/containers/${name}/start`, 204],
    ['POST', `/containers/${name}/start`, 304],
    ['POST', `/containers/${name}/pause`, 204],
    ['POST', `/containers/${name}/pause`, 409],
    ['POST', `/containers/${name}/unpause`, 204],
    ['POST', `/containers/${name}/rename?name=${name}-new`, 204],
    ['DELETE', `/containers/${name}-new`, 409],
    ['POST', `/containers/${name}-new/restart?t=0`, 204],
    ['POST', `/containers/${name}-new/kill?signal=NOSUCH`, 400],
    ['POST', `/containers/${name}-new/stop?t=0`, 204],
    ['POST', `/containers/${name}-new/stop`, 304],
    ['POST', `/containers/${name}-new/kill`, 409],
    ['DELETE', `/containers/${name}-new`, 204],
    ['DELETE', `/containers/${name}-new`, 404],
  ]
  for (const [method, path, expected] of codes) {
    const { status, text } = await daemon.request(method, path)
    assert.equal(status, expected, `${method} ${path}: ${text}`)
    if (status === 204 || status === 304) assert.equal(text, '')
    else assert.equal(typeof JSON.parse(text).message, 'string')
  }
})

test('a list is of what runs, newest first, or of all', { skip }, async () => {
  const running = await create({ Labels: { list: 'yes' } })
  const created = await create({ Labels: { list: 'yes' } })
  await daemon.request('POST', `/containers/${running}/start`)
  const list = async (query: string): Promise<ContainerSummary[]> => {
    const { status, text } = await daemon.request('GET', `/containers/json?${query}`)
    assert.equal(status, 200, text)
    return JSON.parse(text)
  }
  const filters = encodeURIComponent('{"label":["list=yes"]}')
  const oldForm = encodeURIComponent('{"label":{"list=yes":true}}')
  assert.deepEqual(
    (await list(`filters=${filters}`)).map(({ Names }) => Names),
    [[`/${running}`]],
  )
  const all = await list(`all=1&filters=${oldForm}`)
  assert.deepEqual(
    all.map(({ Names }) => Names),
    [[`/${created}`], [`/${running}`]],
  )
  assert.equal(all[0]?.Status, 'Created')
  assert.match(all[1]?.Status ?? '', /^Up /)
  assert.equal(all[1]?.Command, 'sleep 1000')
  const bad = await daemon.request(
    'GET',
    `/containers/json?filters=${encodeURIComponent('{"x":["y"]}')}`,
  )
  assert.equal(bad.status, 400)
  assert.equal(bad.text, `{"message":"invalid filter 'x'"}\n`)
})

test('fields follow the version that is asked for', { skip }, async () => {
  const name = await create({ HostConfig: { Annotations: { a: 'b' } } })
  const old = await inspect(name, '/v1.24')
  const recent = await inspect(name, '/v1.51')
  assert.equal(old.HostConfig.KernelMemory, 0)
  assert.equal(recent.HostConfig.KernelMemory, undefined)
  assert.equal(old.HostConfig.Annotations, undefined)
  assert.deepEqual(recent.HostConfig.Annotations, { a: 'b' })
  const image = async (prefix: string): Promise<Record<string, unknown>> =>
    JSON.parse((await daemon.request('GET', `${prefix}/images/busybox/json`)).text)
  assert.equal(typeof (await image('/v1.43'))['VirtualSize'], 'number')
  assert.equal((await image('/v1.44'))['VirtualSize'], undefined)
})

/** Without what changes by itself: `Up 2 seconds`. */
async function listed(): Promise<unknown[]> {
  const { text } = await daemon.request('GET', '/containers/json?all=1')
  return (JSON.parse(text) as object[]).map((one) => ({ ...one, Status: '' }))
}

test('what cannot be created leaves nothing', { skip }, async () => {
  const before = await listed()
  const bodies: [unknown, number, RegExp][] = [
    [{ Image: 'nosuch', Cmd: ['x'] }, 404, /^No such image: nosuch:latest$/],
    [{ Image: 'UPPER', Cmd: ['x'] }, 400, /invalid reference format/],
    [
      { Image: 'busybox', Cmd: ['x'], HostConfig: { Memory: 1000 } },
      400,
      /Minimum memory limit allowed is 6MB/,
    ],
    [
      { Image: 'busybox', Cmd: ['x'], HostConfig: { Binds: ['/a:b'] } },
      400,
      /invalid volume specification/,
    ],
    [{ Image: 'busybox', Cmd: 7 }, 400, /^invalid JSON: Cmd must be a list, not a number$/],
    [{}, 400, /^Config cannot be empty/],
    ['{"Image":', 400, /^invalid JSON: /],
  ]
  for (const [body, expected, message] of bodies) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await daemon.request('POST', '/containers/create', text, {
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(answer.status, expected, answer.text)
    assert.match(JSON.parse(answer.text).message, message)
  }
  assert.deepEqual(await listed(), before)
})

test('no limit of processes is 0, however it is asked for; a tag is not named like a digest', {
  skip,
}, async () => {
  const name = await create({ HostConfig: { PidsLimit: 32 } })
  const update = (limit: number, prefix = '') =>
    daemon.request('POST', `${prefix}/containers/${name}/update`, { PidsLimit: limit })
  assert.equal((await update(0, '/v1.39')).status, 200)
  assert.equal((await inspect(name)).HostConfig.PidsLimit, 32)
  assert.equal((await update(-2)).status, 200)
  assert.equal((await inspect(name)).HostConfig.PidsLimit, 0)
  const tag = await daemon.request('POST', '/images/busybox/tag?repo=sha256&tag=sometag')
  assert.deepEqual(
    [tag.status, tag.json()],
    [400, { message: 'refusing to create an ambiguous tag using digest algorithm as name' }],
  )
  const pull = await daemon.request('POST', '/images/create?fromImage=busybox&platform=foobar')
  assert.equal(pull.status, 400)
  assert.match(pull.text, /unknown operating system or architecture/)
})

test('a stream of stats ends with its container', { skip }, async () => {
  const name = await create()
  assert.equal((await daemon.request('POST', `/containers/${name}/start`)).status, 204)
  const stats = daemon.request('GET', `/containers/${name}/stats`)
  assert.equal((await daemon.request('DELETE', `/containers/${name}?force=1`)).status, 204)
  assert.equal((await stats).text.includes('message'), false)
})

test('the time that info tells is not before the events that have been', { skip }, async () => {
  const name = await create()
  const { SystemTime } = (await daemon.request('GET', '/info')).json() as { SystemTime: string }
  const [seconds, digits = ''] = SystemTime.slice(0, -1).split('.')
  const until = `${Date.parse(`${seconds}Z`) / 1000}.${digits.padEnd(9, '0')}`
  const { text } = await daemon.request('GET', `/events?since=1&until=${until}`)
  assert.match(text, new RegExp(`"create".*"name":"${name}"`))
  for (const query of [`until=${until}`, `since=0&until=${until}`]) {
    const events = await daemon.request('GET', `/events?${query}`)
    assert.match(events.text, new RegExp(`"create".*"name":"${name}"`))
  }
  const order = await daemon.request('GET', '/events?since=2000000000&until=1900000000')
  assert.deepEqual(
    [order.status, order.json()],
    [400, { message: '`since` time (2000000000) cannot be after `until` time (1900000000)' }],
  )
})

test('top, stats and update', { skip }, async () => {
  const name = await create({ HostConfig: { Memory: 64_000_000 } })
  await daemon.request('POST', `/containers/${name}/start`)
  const top = JSON.parse((await daemon.request('GET', `/containers/${name}/top`)).text)
  assert.equal(top.Titles[0], 'UID')
  assert.match(top.Processes[0].at(-1), /sleep 1000/)
  const once = await daemon.request('GET', `/containers/${name}/stats?stream=0&one-shot=1`)
  const stats = JSON.parse(once.text)
  assert.equal(stats.name, `/${name}`)
  assert.ok(stats.memory_stats.usage > 0)
  const update = await daemon.request('POST', `/containers/${name}/update`, {
    Memory: 80_000_000,
    MemorySwap: -1,
  })
  assert.equal(update.status, 200, update.text)
  assert.equal((await inspect(name)).HostConfig.Memory, 80_000_000)
})

test('explain shows a program and makes nothing', { skip }, async () => {
  const before = await listed()
  const { status, text, headers } = await daemon.request('POST', '/containers/explain', {
    Image: 'busybox',
    Cmd: ['true'],
  })
  assert.equal(status, 200)
  assert.match(String(headers['content-type']), /^text\/plain/)
  assert.match(text, /pivot/)
  assert.match(text, /exec/)
  assert.deepEqual(await listed(), before)
})

test('swarm is refused with the words of dockerd, plugins are none', { skip }, async () => {
  for (const path of ['/swarm', '/nodes', '/services', '/tasks', '/configs']) {
    const { status, text } = await daemon.request('GET', path)
    assert.equal(status, 503)
    assert.match(JSON.parse(text).message, /^This node is not a swarm manager\./)
  }
  assert.equal((await daemon.request('GET', '/plugins')).text, '[]\n')
})

test('the API describes itself', { skip }, async () => {
  const { status, text } = await daemon.request('GET', '/openapi.json')
  assert.equal(status, 200)
  const document = JSON.parse(text)
  assert.equal(document.openapi, '3.1.0')
  const create = document.paths['/containers/create'].post
  assert.equal(
    create.requestBody.content['application/json'].schema.properties.HostConfig.properties.Memory
      .type,
    'integer',
  )
  assert.ok(Object.keys(document.paths).length > 60)
})

test('an exec is shown as dockerd shows it, before and after its end', { skip }, async () => {
  const name = await create()
  await daemon.request('POST', `/containers/${name}/start`)
  // Attached: the answer ends when the end is recorded.
  const body = { Cmd: ['true'], AttachStdout: true, DetachKeys: 'ctrl-x,a' }
  const created = await daemon.request('POST', `/containers/${name}/exec`, body)
  const id = JSON.parse(created.text).Id
  const shown = async (): Promise<Record<string, unknown>> =>
    JSON.parse((await daemon.request('GET', `/exec/${id}/json`)).text)
  const { DetachKeys, CanRemove, ExitCode } = await shown()
  assert.deepEqual([DetachKeys, CanRemove, ExitCode], ['GGE=', false, null])
  await daemon.request('POST', `/exec/${id}/start`, {})
  const ended = await shown()
  assert.deepEqual([ended['CanRemove'], ended['ExitCode']], [false, 0])
})
