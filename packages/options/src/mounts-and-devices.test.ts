import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { machineWith } from './client-machine-fixture.ts'
import {
  isCdiDevice,
  parseDevice,
  parseGpus,
  parseThrottleBps,
  parseThrottleIops,
  parseWeightDevice,
} from './device.ts'
import { parseMount } from './mount.ts'
import { no, table } from './table-fixture.ts'
import { parseVolume } from './volume.ts'

table<object>('parseVolume', (text) => parseVolume(text, machineWith()), [
  ['/data', { kind: 'anonymous', target: '/data' }],
  ['vol:/data', { kind: 'bind', bind: 'vol:/data' }],
  ['/a:/b:ro,z', { kind: 'bind', bind: '/a:/b:ro,z' }],
  ['./a:/b', { kind: 'bind', bind: '/home/me/a:/b' }],
  ['../a:/b:rshared', { kind: 'bind', bind: '/home/a:/b:rshared' }],
  ['', no('invalid empty volume spec')],
  [':/x', no('invalid spec: :/x: empty section between colons')],
  ['/a::ro', no('invalid spec: /a::ro: empty section between colons')],
  // The daemon says what is wrong with it.
  ['/a:/b:ro:x', { kind: 'bind', bind: '/a:/b:ro:x' }],
])

table<object>('parseMount', (text) => parseMount(text, machineWith()), [
  ['dst=/x', { Type: 'volume', Target: '/x' }],
  [
    'type=bind,src=.,target=/x,ro',
    { Type: 'bind', Source: '/home/me', Target: '/x', ReadOnly: true },
  ],
  [
    'type=bind,src=/a,dst=/b,bind-propagation=rslave,readonly=false',
    {
      Type: 'bind',
      Source: '/a',
      Target: '/b',
      BindOptions: { Propagation: 'rslave' },
      ReadOnly: false,
    },
  ],
  [
    'type=volume,src=v,dst=/x,volume-nocopy,volume-label=a=b,volume-opt=type=nfs,volume-opt=o=addr,volume-driver=local,volume-subpath=s',
    {
      Type: 'volume',
      Source: 'v',
      Target: '/x',
      VolumeOptions: {
        NoCopy: true,
        Labels: { a: 'b' },
        DriverConfig: { Name: 'local', Options: { type: 'nfs', o: 'addr' } },
        Subpath: 's',
      },
    },
  ],
  [
    'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770',
    { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 2 ** 20, Mode: 0o1770 } },
  ],
  ['type=bind,"src=/a,b",dst=/x', { Type: 'bind', Source: '/a,b', Target: '/x' }],
  [
    'type=bind,src=/a,dst=/b,bind-recursive=disabled',
    { Type: 'bind', Source: '/a', Target: '/b', BindOptions: { NonRecursive: true } },
  ],
  ['foo', no("invalid field 'foo' must be a key=value pair")],
  ['type=bind,foo=1', no("unexpected key 'foo' in 'foo=1'")],
  ['type=bind,src=/a', no('target is required')],
  ['type=,dst=/a', no('type is required')],
  [
    'type=bind,src=/a,dst=/b,volume-nocopy',
    no("cannot mix 'volume-*' options with mount type 'bind'"),
  ],
  ['type=tmpfs,dst=/x,tmpfs-mode=999', no('invalid value for tmpfs-mode: 999')],
  ['dst=/x,ro=maybe', no('invalid value for ro: maybe')],
  [
    'type=bind,src=/a,dst=/b,bind-recursive=writable',
    no("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction"),
  ],
])

table<object>('parseDevice', parseDevice, [
  [
    '/dev/kmsg',
    { PathOnHost: '/dev/kmsg', PathInContainer: '/dev/kmsg', CgroupPermissions: 'rwm' },
  ],
  ['/dev/a:/dev/b', { PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'rwm' }],
  ['/dev/a:r', { PathOnHost: '/dev/a', PathInContainer: '/dev/a', CgroupPermissions: 'r' }],
  [
    '/dev/a:/dev/b:rw',
    { PathOnHost: '/dev/a', PathInContainer: '/dev/b', CgroupPermissions: 'rw' },
  ],
  [':x', no('bad format for path: :x')],
  ['x', no('x is not an absolute path')],
  ['/a:/b:q', no('bad mode specified: q')],
])

describe('devices', () => {
  it('knows a CDI name', () => {
    assert.equal(isCdiDevice('vendor.com/gpu=0'), true)
    assert.equal(isCdiDevice('/dev/x=0'), false)
  })
  it('reads limits of devices', () => {
    assert.deepEqual(parseThrottleBps('/dev/sda:1mb'), { Path: '/dev/sda', Rate: 2 ** 20 })
    assert.deepEqual(parseThrottleIops('/dev/sda:100'), { Path: '/dev/sda', Rate: 100 })
    assert.deepEqual(parseWeightDevice('/dev/sda:500'), { Path: '/dev/sda', Weight: 500 })
    assert.throws(() => parseThrottleBps('x'), { message: 'bad format: x' })
    assert.throws(() => parseThrottleIops('/x:1'), { message: 'bad format for device path: /x:1' })
    assert.throws(() => parseWeightDevice('/dev/x:5'), {
      message: 'invalid weight for device: /dev/x:5',
    })
  })
  it('reads gpu requests', () => {
    const rest = { Driver: '', Count: 0, Capabilities: [['gpu']], Options: {} }
    assert.deepEqual(parseGpus('all'), { ...rest, Count: -1 })
    assert.deepEqual(parseGpus('driver=nvidia'), { ...rest, Driver: 'nvidia', Count: 1 })
    assert.deepEqual(parseGpus('"device=0,2",driver=nvidia,"capabilities=compute",options=a=b'), {
      DeviceIDs: ['0', '2'],
      Driver: 'nvidia',
      Count: 0,
      Capabilities: [['compute', 'gpu']],
      Options: { a: 'b' },
    })
    for (const [text, message] of [
      ['x=y', "unexpected key 'x' in 'x=y'"],
      ['', 'EOF'],
      ['all,all', "gpu request key 'all' can be specified only once"],
      ['all,count=2', "gpu request key 'count' can be specified only once"],
      ['x', 'invalid count (x): value must be either "all" or an integer: invalid syntax'],
    ] as const) {
      assert.throws(() => parseGpus(text), { message })
    }
  })
})
