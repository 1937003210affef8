import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

/**
 * Which fields a client of a version sees, and of what type. `CTR_UPDATE_GOLDEN=1` writes the files anew: read the
 * difference against https://docs.docker.com/reference/api/engine/version-history/ before it is committed.
 */
const skip = requires({ root: true })
const VERSIONS = [
  '1.24',
  '1.25',
  '1.41',
  '1.42',
  '1.43',
  '1.44',
  '1.45',
  '1.48',
  '1.49',
  '1.50',
  '1.51',
]

let daemon: TestDaemon
let id = ''
before(async () => {
  if (skip !== false) return
  daemon = await startDaemon({ bridge: false })
  const body = {
    Image: 'busybox',
    Cmd: ['sleep', '100000'],
    MacAddress: '02:42:ac:11:00:99',
    ExposedPorts: { '80/tcp': {} },
    Labels: { a: 'b' },
    HostConfig: { NetworkMode: 'none', Annotations: { note: 'x' }, Tmpfs: { '/t': '' } },
  }
  const made = await daemon.request('POST', '/v1.43/containers/create?name=golden', body)
  assert.equal(made.status, 201, made.text)
  id = (made.json() as { Id: string }).Id
  assert.equal((await daemon.request('POST', `/containers/${id}/start`)).status, 204)
})
after(async () => await daemon?.[Symbol.asyncDispose]())

for (const version of VERSIONS) {
  test(`fields of v${version}`, { skip }, async () => {
    const documents: Record<string, unknown> = {}
    for (const path of [
      '/containers/golden/json?size=1',
      '/containers/json?size=1',
      '/images/busybox/json',
      '/images/json',
      '/info',
      '/version',
      '/system/df',
      '/networks/none',
      '/volumes',
    ]) {
      const { status, text } = await daemon.request('GET', `/v${version}${path}`)
      assert.equal(status, 200, text)
      documents[path] = shapeOf(JSON.parse(text))
    }
    const file = fileURLToPath(new URL(`golden/v${version}.json`, import.meta.url))
    const shown = `${JSON.stringify(documents, null, 1)}\n`
    if (process.env['CTR_UPDATE_GOLDEN'] === '1') writeFileSync(file, shown)
    assert.deepEqual(JSON.parse(shown), JSON.parse(readFileSync(file, 'utf8')))
  })
}

test('what the versions are known to differ in', { skip }, async () => {
  const get = async (version: string, path: string): Promise<Record<string, unknown>> =>
    (await daemon.request('GET', `/v${version}${path}`)).json() as Record<string, unknown>
  const config = async (version: string): Promise<object> =>
    (await get(version, '/containers/golden/json'))['Config'] as object
  assert.ok('MacAddress' in (await config('1.43')))
  assert.ok(!('MacAddress' in (await config('1.44'))))
  const image = '/images/busybox/json'
  assert.ok('VirtualSize' in (await get('1.43', image)))
  assert.ok(!('VirtualSize' in (await get('1.44', image))))
  assert.ok('ContainerConfig' in (await get('1.44', image)))
  assert.ok(!('ContainerConfig' in (await get('1.45', image))))
  assert.ok('BuilderSize' in (await get('1.41', '/system/df')))
  assert.ok(!('BuilderSize' in (await get('1.42', '/system/df'))))
  assert.ok('BridgeNfIptables' in (await get('1.49', '/info')))
  assert.ok(!('BridgeNfIptables' in (await get('1.51', '/info'))))
  const imageConfig = async (version: string): Promise<object> =>
    (await get(version, image))['Config'] as object
  assert.ok('Hostname' in (await imageConfig('1.49')))
  assert.ok(!('Hostname' in (await imageConfig('1.50'))))
  assert.deepEqual((await get('1.24', '/info'))['SecurityOptions'], ['seccomp'])
  assert.ok('FirewallBackend' in (await get('1.49', '/info')))
  assert.ok(!('FirewallBackend' in (await get('1.48', '/info'))))
  const containersOf = async (version: string): Promise<unknown> =>
    (
      (await daemon.request('GET', `/v${version}/images/json`)).json() as { Containers: number }[]
    )[0]?.Containers
  assert.deepEqual([await containersOf('1.50'), await containersOf('1.51')], [-1, 1])
})

/** Names that a user or the host gives, not the API. */
const FREE_KEYS = new Set([
  'CgroupPaths',
  'Containers',
  'Labels',
  'Annotations',
  'Tmpfs',
  'ExposedPorts',
  'IndexConfigs',
  'NamespacePaths',
  'Networks',
  'Options',
])

/** `{"Id":"string"}`; a list is that of its first item. */
function shapeOf(value: unknown, key = ''): unknown {
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])]
  if (typeof value !== 'object') return typeof value
  const entries = Object.entries(value)
  if (FREE_KEYS.has(key))
    return entries.slice(0, 1).map(([, item]) => ({ '*': shapeOf(item) }))[0] ?? {}
  return Object.fromEntries(entries.map(([name, item]) => [name, shapeOf(item, name)]))
}
