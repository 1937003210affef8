// needs: root, busybox-static, ip
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { RuntimeSpec } from '@ctr/oci'
import { defaultConfig } from '../src/default-config.ts'
import { message, TestBundle } from './bundle.ts'

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })
}

function canMakeDevices(): boolean {
  try {
    ip('link', 'add', 'ctt-probe', 'type', 'veth', 'peer', 'name', 'ctt-probe2')
    ip('link', 'del', 'ctt-probe')
    return true
  } catch {
    return false
  }
}

const isRoot = process.getuid?.() === 0
const missing = isRoot && canMakeDevices() ? false : 'the kernel has no veth devices'
const skip = isRoot ? missing : 'needs root'

describe('network devices of the host', { skip }, () => {
  let bundle: TestBundle
  let device: string
  beforeEach(() => {
    bundle = new TestBundle()
    device = `ctt${bundle.id('').slice(0, 6)}0`
    ip('link', 'add', device, 'type', 'veth', 'peer', 'name', device.replace(/0$/, '1'))
    ip('address', 'add', '10.79.40.1/24', 'dev', device)
    ip('address', 'add', '169.254.7.1/32', 'scope', 'link', 'dev', device)
    ip('-6', 'address', 'add', 'fd79::1/64', 'nodad', 'dev', device)
    ip('link', 'set', device, 'up')
  })
  afterEach(() => {
    bundle[Symbol.dispose]()
    if (exists(device)) ip('link', 'del', device)
  })

  it('go to the container, renamed, with their addresses of global scope, and are up', async () => {
    configure(['ip', '-o', 'addr', 'show', 'dev', 'inside'], { [device]: { name: 'inside' } })
    const { stdout, stderr } = await bundle.run('run', bundle.id('a'))
    assert.match(stdout, /inet 10\.79\.40\.1\/24 brd 10\.79\.40\.255 scope global inside/, stderr)
    assert.match(stdout, /inet6 fd79::1\/64 scope global/)
    assert.doesNotMatch(stdout, /169\.254/)
    assert.ok(!exists(device))
  })

  it('keep their name where no other is asked for, and go to a namespace that exists', async () => {
    const name = `ctt-${bundle.id('ns')}`
    ip('netns', 'add', name)
    try {
      configure(['ip', 'link', 'show', device], { [device]: {} }, `/run/netns/${name}`)
      const { stdout, stderr } = await bundle.run('run', bundle.id('a'))
      assert.match(stdout, /[<,]UP[,>]/, stderr)
      // They stay there as long as it does.
      assert.match(ip('-n', name, 'address', 'show', 'dev', device), /10\.79\.40\.1/)
    } finally {
      ip('netns', 'del', name)
    }
  })

  it('go to a container in a user namespace', async () => {
    configure(['ip', '-o', 'addr', 'show', 'dev', device], { [device]: {} })
    const spec = defaultConfig({ isRootless: false })
    const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    bundle.configure(
      {
        linux: {
          ...spec.linux,
          namespaces: [...(spec.linux?.namespaces ?? []), { type: 'user' }],
          uidMappings: map,
          gidMappings: map,
          netDevices: { [device]: {} },
        },
      },
      { args: ['ip', '-o', 'addr', 'show', 'dev', device] },
    )
    const { stdout, stderr } = await bundle.run('run', bundle.id('a'))
    assert.match(stdout, /10\.79\.40\.1\/24/, stderr)
  })

  it('that are missing end the create, and nothing is left', async () => {
    configure(['true'], { 'ctt-none': {} })
    const result = await bundle.run('run', bundle.id('a'))
    assert.match(
      message(result),
      /move netDevice ctt-none: link not found for interface ctt-none on runtime namespace: Link not found$/,
    )
    assert.deepEqual(bundle.containers(), [])
  })

  it('whose new name is taken stay, and the container is not made', async () => {
    configure(['true'], { [device]: { name: 'lo' } })
    const result = await bundle.run('run', bundle.id('a'))
    assert.match(message(result), /fail to move network device ctt.*: file exists$/)
    assert.ok(exists(device))
  })

  it('are refused without a network namespace, and with names that are none', async () => {
    const namespaces = (defaultConfig({ isRootless: false }).linux?.namespaces ?? []).filter(
      ({ type }) => type !== 'network',
    )
    bundle.configure({ linux: { namespaces, netDevices: { [device]: {} } } })
    assert.match(
      message(await bundle.run('run', bundle.id('a'))),
      /unable to move network devices without a NET namespace$/,
    )
    for (const name of ['a/b', 'sixteen-letters-', '..', 'a b']) {
      configure(['true'], { [device]: { name } })
      const result = await bundle.run('run', bundle.id('a'))
      assert.match(message(result), /invalid network device name "/)
    }
    assert.ok(exists(device))
  })

  function configure(
    args: string[],
    netDevices: NonNullable<NonNullable<RuntimeSpec['linux']>['netDevices']>,
    path?: string,
  ): void {
    const { linux } = defaultConfig({ isRootless: false })
    const namespaces = (linux?.namespaces ?? []).map((one) =>
      one.type === 'network' && path !== undefined ? { ...one, path } : one,
    )
    bundle.configure({ linux: { ...linux, namespaces, netDevices } }, { args })
  }
})

function exists(device: string): boolean {
  try {
    ip('link', 'show', device)
    return true
  } catch {
    return false
  }
}
