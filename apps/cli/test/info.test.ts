import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

/** `ctr info` beside Docker's, whose order and words it has; what the machine decides is replaced. */
const skip = requires({ root: true })

describe('ctr info', () => {
  let ctrd: TestDaemon
  before(async () => {
    if (skip === false) ctrd = await startDaemon({ bridge: false, args: ['--label', 'a=b'] })
  })
  after(async () => {
    await ctrd?.[Symbol.asyncDispose]()
  })

  it('tells what there is, in the order of docker', { skip }, async () => {
    await ctrd.ok(['create', 'busybox'])
    const all = await ctrd.ok(['info'])
    assert.match(
      all,
      /^Client:\n Version: {4}\S+\n Context: {4}default\n Debug Mode: false\n\nServer:/,
    )
    const text = all.slice(all.indexOf('Server:'))
    const values = new Map(
      text.split('\n').map((line): [string, string] => {
        const [, name = '', value = ''] = /^ *([^:]+):? *(.*)$/.exec(line) ?? []
        return [name, value]
      }),
    )
    for (const [name, value] of [
      ['Containers', '1'],
      ['Running', '0'],
      ['Paused', '0'],
      ['Stopped', '1'],
      ['Images', '1'],
      ['Storage Driver', 'overlay2'],
      ['Logging Driver', 'json-file'],
      ['OSType', 'linux'],
      ['Docker Root Dir', ctrd.dataRoot],
    ] as const) {
      assert.equal(values.get(name), value, `${name} in:\n${text}`)
    }
    const order = [...values.keys()]
    const expected = [
      'Server',
      'Containers',
      'Images',
      'Server Version',
      'Storage Driver',
      'Logging Driver',
      'Cgroup Driver',
      'Cgroup Version',
      'Plugins',
      'Swarm',
      'Runtimes',
      'Security Options',
      'Kernel Version',
      'Operating System',
      'OSType',
      'Architecture',
      'CPUs',
      'Total Memory',
      'Name',
      'ID',
      'Docker Root Dir',
      'Debug Mode',
      'Labels',
      'Experimental',
      'Insecure Registries',
      'Live Restore Enabled',
    ]
    assert.deepEqual(
      order.filter((name) => expected.includes(name)),
      expected,
      text,
    )
  })
})
