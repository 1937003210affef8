// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isEngineError } from '@ctr/errdefs'
import { TestEngine } from './support.ts'

/** The labels and limits of a process are written through /proc, and what protects it is put over parts of it. */
describe('a mount that a link of a volume leads to /proc', () => {
  let t: TestEngine
  const host = mkdtempSync('/tmp/ctr-engine-host-')
  before(async () => {
    t = await TestEngine.open()
    mkdirSync(join(host, 'empty'))
    mkdirSync(join(host, 'links/far'), { recursive: true })
    symlinkSync('/proc', join(host, 'links/proc'))
    symlinkSync('/proc/self', join(host, 'links/self'))
    symlinkSync('../../../proc/sys', join(host, 'links/far/sys'))
    symlinkSync('/proc/uptime', join(host, 'links/uptime'))
  })
  after(async () => {
    await t[Symbol.asyncDispose]()
    rmSync(host, { recursive: true, force: true })
  })

  const bind = (target: string, source = join(host, 'empty')): object => ({
    Mounts: [
      { Type: 'bind', Source: join(host, 'links'), Target: '/links' },
      { Type: 'bind', Source: source, Target: target },
    ],
  })
  const refused: Record<string, object> = {
    'a bind on it': bind('/links/proc'),
    'a bind below it': bind('/links/proc/sys'),
    'a bind on a process': bind('/links/self'),
    'a bind by a way with ..': bind('/links/far/sys'),
    'a file that may be covered by its own name only': bind('/links/uptime', '/etc/hostname'),
    'a volume': {
      Mounts: [
        { Type: 'bind', Source: join(host, 'links'), Target: '/links' },
        { Type: 'volume', Source: 'vol', Target: '/links/proc', VolumeOptions: { NoCopy: true } },
      ],
    },
    'a tmpfs': { Binds: [`${join(host, 'links')}:/links`], Tmpfs: { '/links/proc': '' } },
    'a tmpfs below it': {
      Binds: [`${join(host, 'links')}:/links`],
      Tmpfs: { '/links/proc/fs': '' },
    },
  }
  for (const network of ['none', 'host']) {
    for (const [name, hostConfig] of Object.entries(refused)) {
      test(`${name} is refused, with --network ${network}`, async () => {
        await assert.rejects(
          t.run(['ls', '/proc/self'], { hostConfig: { NetworkMode: network, ...hostConfig } }),
          (error) => {
            assert.ok(isEngineError(error, 'INVALID_ARGUMENT'), String(error))
            assert.match(error.message, /inside \/proc/)
            return true
          },
        )
      })
    }
  }

  test('what is in a procfs elsewhere may be covered, and a file of /proc by its own name', async () => {
    const { exitCode, stdout, stderr } = await t.run(['sh', '-c', 'ls /h/fs; cat /proc/uptime'], {
      hostConfig: {
        Binds: ['/proc:/h', `${join(host, 'empty')}:/h/fs`, '/etc/hostname:/proc/uptime'],
      },
    })
    assert.deepEqual([exitCode, stderr], [0, ''])
    assert.doesNotMatch(stdout, /\d\.\d\d \d/)
  })
})
