import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ContainerSummary } from '@ctr/api'
import { containerRow } from './container-row.ts'
import { humanDuration } from './duration.ts'
import { imageRows } from './image-row.ts'
import { indentJson } from './indent-json.ts'
import { rowJson } from './list.ts'
import { localRfc3339Nano } from './nano-time.ts'
import { displayPorts } from './ports.ts'
import { formatMemory, formatSize } from './size.ts'
import { alignColumns } from './tabwriter.ts'
import { ellipsis, shortId } from './text.ts'

const SECOND = 1000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR

describe('humanDuration', () => {
  for (const [ms, text] of [
    [0, 'Less than a second'],
    [999, 'Less than a second'],
    [SECOND, '1 second'],
    [59 * SECOND, '59 seconds'],
    [60 * SECOND, 'About a minute'],
    [120 * SECOND, '2 minutes'],
    [59 * 60 * SECOND, '59 minutes'],
    [HOUR, 'About an hour'],
    [1.6 * HOUR, '2 hours'],
    [47 * HOUR, '47 hours'],
    [2 * DAY, '2 days'],
    [13 * DAY, '13 days'],
    [14 * DAY, '2 weeks'],
    [59 * DAY, '8 weeks'],
    [61 * DAY, '2 months'],
    [729 * DAY, '24 months'],
    [800 * DAY, '2 years'],
  ] as const) {
    it(text, () => assert.equal(humanDuration(ms), text))
  }
})

describe('sizes', () => {
  it('prints decimal sizes with three digits', () => {
    assert.deepEqual(
      [0, 999, 1000, 1234, 1_984_000, 23_500_000_000, 999_999].map((bytes) => formatSize(bytes)),
      ['0B', '999B', '1kB', '1.23kB', '1.98MB', '23.5GB', '1000kB'],
    )
  })
  it('prints memory in binary with four', () => {
    assert.deepEqual(
      [577_536, 2 ** 30, 25_318_000_000].map((bytes) => formatMemory(bytes)),
      ['564KiB', '1GiB', '23.58GiB'],
    )
  })
})

describe('displayPorts', () => {
  const port = (
    PrivatePort: number,
    PublicPort?: number,
    IP?: string,
    Type = 'tcp',
  ): Parameters<typeof displayPorts>[0][number] => ({
    PrivatePort,
    Type,
    ...(PublicPort === undefined ? {} : { PublicPort }),
    ...(IP === undefined ? {} : { IP }),
  })
  for (const [ports, text] of [
    [[], ''],
    [[port(80)], '80/tcp'],
    [[port(80), port(81), port(82), port(90)], '80-82/tcp, 90/tcp'],
    [[port(80, 8080, '0.0.0.0'), port(80, 8080, '::')], '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp'],
    [[port(80, 80, '0.0.0.0'), port(81, 81, '0.0.0.0')], '0.0.0.0:80-81->80-81/tcp'],
    [
      [port(53, undefined, undefined, 'udp'), port(80, 1, '127.0.0.1')],
      '53/udp, 127.0.0.1:1->80/tcp',
    ],
  ] as const) {
    it(text, () => assert.equal(displayPorts(ports), text))
  }
})

describe('alignColumns', () => {
  it('pads to ten columns at least, three apart, and not the last', () => {
    assert.deepEqual(alignColumns(['DRIVER\tVOLUME NAME', 'local\ta-long-name']), [
      'DRIVER    VOLUME NAME',
      'local     a-long-name',
    ])
    assert.deepEqual(alignColumns(['CONTAINER ID\tX', '123456789012\ty']), [
      'CONTAINER ID   X',
      '123456789012   y',
    ])
  })
  it('counts characters, not bytes', () => {
    assert.deepEqual(alignColumns(['“sleep 1000000000…”\tx', 'a\tb']), [
      '“sleep 1000000000…”   x',
      'a                     b',
    ])
  })
})

describe('indentJson', () => {
  it('keeps numbers, order and escapes', () => {
    const text = '{"b":12345678901234567890,"a":[1.0,"x\\"{,"],"e":{},"f":[ ],"u":"\\u003c"}'
    assert.equal(
      indentJson(text, '', '    '),
      '{\n    "b": 12345678901234567890,\n    "a": [\n        1.0,\n        "x\\"{,"\n    ],\n    "e": {},\n    "f": [],\n    "u": "\\u003c"\n}',
    )
  })
  it('equals JSON.stringify where that loses nothing', () => {
    const value = { a: [1, { b: null }], c: 'd' }
    assert.equal(indentJson(JSON.stringify(value), '', '    '), JSON.stringify(value, undefined, 4))
  })
})

describe('rows', () => {
  const container: ContainerSummary = {
    Id: 'a'.repeat(64),
    Names: ['/web', '/other/alias'],
    Image: 'busybox',
    ImageID: 'sha256:x',
    Command: 'sh -c "a very long command line"',
    Created: 1_700_000_000,
    Ports: [],
    Labels: { b: '2', a: '1' },
    State: 'running',
    Status: 'Up 2 hours (healthy)',
    HostConfig: { NetworkMode: 'default' },
    NetworkSettings: { Networks: {} },
    Mounts: [
      {
        Type: 'volume',
        Name: 'a-rather-long-volume-name',
        Source: '/x',
        Destination: '/y',
        Driver: 'local',
        Mode: '',
        RW: true,
        Propagation: '',
      },
    ],
  }
  it('shows a container as docker ps does', () => {
    const row = containerRow(container, { truncate: true, nowMs: 1_700_000_000_000 + 3 * HOUR })
    assert.equal(
      rowJson({ ...row, CreatedAt: '' }),
      '{"Command":"\\"sh -c \\\\\\"a very long …\\"","CreatedAt":"","ID":"aaaaaaaaaaaa","Image":"busybox","Labels":"a=1,b=2","LocalVolumes":"1","Mounts":"a-rather-long-…","Names":"web","Networks":"","Platform":null,"Ports":"","RunningFor":"3 hours ago","Size":"0B","State":"running","Status":"Up 2 hours (healthy)"}',
    )
  })
  it('shows an image once per tag, and as <none> without', () => {
    const image = {
      Id: `sha256:${'b'.repeat(64)}`,
      ParentId: '',
      RepoTags: ['a:1', 'localhost:5000/b:2'],
      RepoDigests: [`a@sha256:${'c'.repeat(64)}`],
      Created: 1_700_000_000,
      Size: 1000,
      SharedSize: -1,
      Labels: null,
      Containers: -1,
    }
    const options = { truncate: true, withDigests: true, nowMs: 1_700_000_000_000 }
    assert.deepEqual(
      imageRows(image, options).map((row) => [row['Repository'], row['Tag'], row['Digest']]),
      [
        ['a', '1', `sha256:${'c'.repeat(64)}`],
        ['localhost:5000/b', '2', '<none>'],
      ],
    )
    assert.deepEqual(
      imageRows({ ...image, RepoTags: null, RepoDigests: null }, options).map((row) => [
        row['Repository'],
        row['Tag'],
      ]),
      [['<none>', '<none>']],
    )
  })
})

it('cuts long texts and ids', () => {
  assert.deepEqual(
    [ellipsis('abcdef', 4), ellipsis('abc', 4), ellipsis('äöü', 2)],
    ['abc…', 'abc', 'ä…'],
  )
  assert.equal(shortId(`sha256:${'d'.repeat(64)}`), 'd'.repeat(12))
})

it('prints nanoseconds exactly', () => {
  process.env['TZ'] = 'UTC'
  assert.equal(localRfc3339Nano(1_795_306_798_979_556_415n), '2026-11-22T00:19:58.979556415Z')
})
