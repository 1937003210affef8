import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HostConfig, NetworkingConfig } from '@ctr/api'
import { type CreateParts, meantBy, warningsOf } from './by-version.ts'

function parts(hostConfig: HostConfig, o: Partial<CreateParts> = {}): CreateParts {
  return { config: {}, hostConfig, networkingConfig: undefined, ...o }
}

const hostConfigOf = (minor: number, given: HostConfig): HostConfig =>
  meantBy(minor, parts(given)).hostConfig

test('fields are dropped from the requests of versions that do not have them', () => {
  const given: HostConfig = {
    AutoRemove: true,
    KernelMemory: 1,
    KernelMemoryTCP: 2,
    ConsoleSize: [1, 2],
    Annotations: { a: 'b' },
    IpcMode: 'private',
  }
  const left = (minor: number): string[] => Object.keys(hostConfigOf(minor, given)).sort()
  assert.deepEqual(left(24), ['IpcMode', 'KernelMemory'])
  assert.deepEqual(left(25), ['AutoRemove', 'IpcMode', 'KernelMemory'])
  assert.deepEqual(left(41), ['AutoRemove', 'IpcMode', 'KernelMemory', 'KernelMemoryTCP'])
  assert.deepEqual(left(42), ['AutoRemove', 'ConsoleSize', 'IpcMode', 'KernelMemoryTCP'])
  assert.deepEqual(left(43), [
    'Annotations',
    'AutoRemove',
    'ConsoleSize',
    'IpcMode',
    'KernelMemoryTCP',
  ])
})

test('before v1.40 the default of IpcMode is shareable', () => {
  assert.equal(hostConfigOf(39, {}).IpcMode, 'shareable')
  assert.equal(hostConfigOf(39, { IpcMode: 'none' }).IpcMode, 'none')
  assert.equal(hostConfigOf(40, {}).IpcMode, undefined)
})

test('kinds and options of mounts that a version cannot have are refused', () => {
  const image: HostConfig = { Mounts: [{ Type: 'image', Source: 'a', Target: '/a' }] }
  assert.throws(() => hostConfigOf(47, image), {
    code: 'INVALID_ARGUMENT',
    message: 'Mount type "Image" needs API v1.48 or newer',
  })
  assert.deepEqual(hostConfigOf(48, image), image)
  const subpath: HostConfig = {
    Mounts: [{ Type: 'volume', Target: '/a', VolumeOptions: { Subpath: 'b' } }],
  }
  assert.throws(() => hostConfigOf(44, subpath), {
    message: 'VolumeOptions.Subpath needs API v1.45 or newer',
  })
  assert.deepEqual(hostConfigOf(45, subpath), subpath)
  const forced: HostConfig = {
    Mounts: [{ Type: 'bind', Target: '/a', BindOptions: { ReadOnlyForceRecursive: true } }],
  }
  assert.throws(() => hostConfigOf(43, forced), {
    message: 'BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer',
  })
})

test('options of another kind of mount are refused since v1.42, and not seen before', () => {
  const given: HostConfig = {
    Mounts: [{ Type: 'tmpfs', Target: '/a', VolumeOptions: { NoCopy: true } }],
  }
  assert.throws(() => hostConfigOf(42, given), {
    message: 'VolumeOptions must not be specified on mount type "tmpfs"',
  })
  assert.deepEqual(hostConfigOf(41, given).Mounts, [{ Type: 'tmpfs', Target: '/a' }])
})

test('options of binds grow: CreateMountpoint in v1.42, NonRecursive in v1.40', () => {
  const BindOptions = { CreateMountpoint: true, NonRecursive: true }
  const options = (minor: number): unknown =>
    hostConfigOf(minor, { Mounts: [{ Type: 'bind', BindOptions }] }).Mounts?.[0]?.BindOptions
  assert.deepEqual(options(39), {})
  assert.deepEqual(options(41), { NonRecursive: true })
  assert.deepEqual(options(42), BindOptions)
})

test('one network at creation until v1.43, then several', () => {
  const networkingConfig: NetworkingConfig = { EndpointsConfig: { a: {}, b: {} } }
  assert.throws(() => meantBy(43, parts({}, { networkingConfig })), {
    message: 'Container cannot be created with multiple network endpoints: a, b',
  })
  assert.deepEqual(meantBy(44, parts({}, { networkingConfig })).networkingConfig, networkingConfig)
})

test('the address of an endpoint is of v1.44, its priority of v1.48', () => {
  const endpoint = (minor: number, MacAddress?: string): unknown =>
    meantBy(
      minor,
      parts(
        {},
        {
          config: MacAddress === undefined ? {} : { MacAddress },
          networkingConfig: { EndpointsConfig: { a: { MacAddress: '02::1', GwPriority: 5 } } },
        },
      ),
    ).networkingConfig?.EndpointsConfig?.['a']
  assert.deepEqual(endpoint(43), {})
  assert.deepEqual(endpoint(43, '02::2'), { MacAddress: '02::2' })
  assert.deepEqual(endpoint(44), { MacAddress: '02::1' })
  assert.deepEqual(endpoint(48), { MacAddress: '02::1', GwPriority: 5 })
})

test('a container-wide address is deprecated since v1.44, and must not contradict', () => {
  const config = { MacAddress: '02::1' }
  assert.deepEqual(warningsOf(43, parts({}, { config })), [])
  assert.match(warningsOf(44, parts({}, { config })).join(), /MacAddress field is now deprecated/)
  const networkingConfig = { EndpointsConfig: { a: { MacAddress: '02::2' } } }
  assert.throws(() => warningsOf(44, parts({}, { config, networkingConfig })), {
    message: /must match the endpoint-specific MAC address/,
  })
})

test('a driver of volumes that no mount uses is told of since v1.48', () => {
  const given = parts({ VolumeDriver: 'local', Mounts: [{ Type: 'volume', Target: '/a' }] })
  assert.deepEqual(warningsOf(47, given), [])
  assert.match(warningsOf(48, given).join(), /container-wide volume-driver/)
})
