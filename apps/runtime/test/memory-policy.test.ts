// needs: root, busybox-static, a kernel with NUMA
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { RuntimeMemoryPolicy } from '@ctr/oci'
import { defaultConfig } from '../src/default-config.ts'
import { message, TestBundle } from './bundle.ts'

const noNuma = existsSync('/proc/self/numa_maps') ? false : 'this kernel has no NUMA'
const skip = process.getuid?.() === 0 ? noNuma : 'needs root'

const SHOW = ['sh', '-c', 'head -n 1 /proc/self/numa_maps | cut -d " " -f 2']

describe('memory policy of a container', { skip }, () => {
  let bundle: TestBundle
  before(() => {
    bundle = new TestBundle()
  })
  after(() => bundle[Symbol.dispose]())

  function configure(memoryPolicy: RuntimeMemoryPolicy, args: string[] = SHOW): void {
    const { linux } = defaultConfig({ isRootless: false })
    bundle.configure({ linux: { ...linux, memoryPolicy } }, { args })
  }

  for (const [policy, expected] of [
    [{ mode: 'MPOL_INTERLEAVE', nodes: '0' }, /^interleave:0$/],
    [{ mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] }, /^bind=static:0$/],
    [{ mode: 'MPOL_LOCAL' }, /^local$/],
    [{ mode: 'MPOL_DEFAULT' }, /^default$/],
  ] as [RuntimeMemoryPolicy, RegExp][]) {
    it(`is ${JSON.stringify(policy)}`, async () => {
      configure(policy)
      const { stdout, stderr } = await bundle.run('run', bundle.id('a'))
      assert.match(stdout.trim(), expected, stderr)
    })
  }

  it('is that of an exec, too', async () => {
    configure({ mode: 'MPOL_PREFERRED', nodes: '0', flags: ['MPOL_F_RELATIVE_NODES'] }, [
      'sleep',
      '100',
    ])
    assert.equal((await bundle.run('run', '--detach', bundle.id('e'))).code, 0)
    const { stdout } = await bundle.run('exec', bundle.id('e'), ...SHOW)
    assert.match(stdout, /^prefer=relative:0$/m)
    await bundle.run('delete', '--force', bundle.id('e'))
  })

  it('that the kernel refuses ends the create', async () => {
    configure({ mode: 'MPOL_DEFAULT', nodes: '0-7' })
    const result = await bundle.run('run', bundle.id('a'))
    assert.match(message(result), /set_mempolicy: invalid argument$/)
    assert.deepEqual(bundle.containers(), [])
  })

  it('that is none is refused', async () => {
    configure({ mode: 'INTERLEAVE', nodes: '0' })
    const result = await bundle.run('run', bundle.id('a'))
    assert.match(message(result), /invalid memory policy mode "INTERLEAVE"$/)
  })
})
