import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

/** What config.json changes. */
const skip = requires({ root: true })

describe('config.json', () => {
  let ctrd: TestDaemon
  before(async () => {
    if (skip === false) ctrd = await startDaemon({ bridge: false })
  })
  after(async () => {
    await ctrd?.[Symbol.asyncDispose]()
  })

  async function configured(values: unknown, ...args: string[]): Promise<string> {
    const directory = ctrd.root
    writeFileSync(`${directory}/config.json`, JSON.stringify(values))
    return await ctrd.ok(['--config', directory, ...args])
  }

  it('gives containers its proxies, unless they are named', { skip }, async () => {
    const values = { proxies: { default: { httpProxy: 'http://proxy:3128', noProxy: 'local' } } }
    const run = ['run', '--rm', '--network', 'none', '-e', 'no_proxy=mine', 'busybox', 'env']
    const lines = (await configured(values, ...run))
      .split('\n')
      .filter((line) => /proxy/i.test(line))
    assert.deepEqual(lines.toSorted(), [
      'HTTP_PROXY=http://proxy:3128',
      'NO_PROXY=local',
      'http_proxy=http://proxy:3128',
      'no_proxy=mine',
    ])
  })

  it('has the formats of lists, which --format overrides', { skip }, async () => {
    const values = {
      psFormat: 'ps {{.Names}}',
      imagesFormat: 'image {{.Repository}}',
      volumesFormat: 'volume {{.Name}}',
      networksFormat: 'network {{.Name}}',
    }
    await ctrd.ok(['create', '--name', 'listed', 'busybox'])
    await ctrd.ok(['volume', 'create', 'vol'])
    assert.equal(await configured(values, 'ps', '-a'), 'ps listed')
    assert.equal(await configured(values, 'ps', '-a', '--format', '{{.Image}}'), 'busybox')
    assert.equal(await configured(values, 'images'), 'image busybox')
    assert.equal(await configured(values, 'volume', 'ls'), 'volume vol')
    assert.match(await configured(values, 'network', 'ls'), /^network host$/m)
  })

  it('names the file when it is broken', { skip }, async () => {
    writeFileSync(`${ctrd.root}/config.json`, '{')
    const { code, stderr } = await ctrd.ctr(['--config', ctrd.root, 'ps'])
    assert.equal(code, 1)
    assert.match(stderr, /config\.json: /)
  })

  it('is not asked about options without effect, which are said to have none', {
    skip,
  }, async () => {
    const { code, stderr } = await ctrd.ctr([
      'run',
      '--rm',
      '--network',
      'none',
      '--disable-content-trust',
      '--cpu-count',
      '1',
      '--cpu-percent',
      '5',
      '--io-maxbandwidth',
      '1m',
      '--io-maxiops',
      '9',
      'busybox',
      'true',
    ])
    assert.equal(code, 0)
    const windows = ['cpu-count', 'cpu-percent', 'io-maxbandwidth', 'io-maxiops']
    assert.equal(
      stderr,
      [
        ...windows.map((name) => `WARNING: --${name} has no effect: it is for Windows\n`),
        'WARNING: --disable-content-trust has no effect: signatures are not looked at\n',
      ].join(''),
    )
  })
})
