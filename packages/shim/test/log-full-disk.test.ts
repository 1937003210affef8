import assert from 'node:assert/strict'
import { appendFile, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { MNT_DETACH, mount, umount } from '@ctr/linux'
import { attachShim } from '../src/index.ts'
import { Bench, type MinimalOptions, minimalProgram, parseLog } from './minimal-program.ts'

/** Requires root: namespaces, mounts. */
describe('the log on a full disk', { timeout: 300_000 }, () => {
  let bench: Bench
  before(async () => {
    bench = await Bench.make()
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
  })

  /** A filesystem of its own for the log. */
  async function mountDisk(options: string): Promise<Disposable & { readonly path: string }> {
    const directory = await bench.runtimeDir()
    mount('tmpfs', directory, 'tmpfs', 0, options)
    const path = join(directory, 'log')
    return { path, [Symbol.dispose]: () => umount(directory, MNT_DETACH) }
  }

  /** `cat`, which says back what it is told; `say` returns when that is in the log, or has no room. */
  async function startCat(log: MinimalOptions['log']) {
    const runtimeDir = await bench.runtimeDir()
    const connection = await bench.spawner.run(
      minimalProgram(bench, { runtimeDir, stdin: true, args: ['cat'], log: { ...log } }),
    )
    const socket = await attachShim(runtimeDir, { stdin: true, stdout: true, stderr: false })
    return {
      say: async (text: string): Promise<void> => {
        socket.write(text)
        let left = text.length
        for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
          left -= chunk.length
          if (left <= 0) return
        }
      },
      end: async (): Promise<void> => {
        await connection.closeStdin()
        await connection.exited
        socket.destroy()
      },
    }
  }

  it('costs what does not fit, and nothing of what comes when there is room again', async () => {
    using disk = await mountDisk('size=64k')
    // As a full disk has left it in the run before.
    await writeFile(disk.path, '{"log":"of the run bef')
    const { say, end } = await startCat({ path: disk.path })
    await say('one\n')
    const filler = `${disk.path}.filler`
    await fill(filler)
    // The log's last page has no room for all of it, and then for nothing.
    await say(`${'x'.repeat(4000)}\n`)
    await say('y\n')
    await truncate(filler, 0)
    await say('two\n')
    await end()
    const [before, one, cut, two, ...others] = (await readFile(disk.path, 'utf8')).split('\n')
    assert.equal(before, '{"log":"of the run bef')
    assert.equal(logOf(one), 'one\n')
    assert.match(cut ?? '', /^\{"log":"x+$/)
    assert.equal(logOf(two), 'two\n')
    assert.deepEqual(others, [''])
  })

  it('keeps the older files when there is no room for a new one', async () => {
    // The directory, the log and two older ones.
    using disk = await mountDisk('size=1m,nr_inodes=4')
    const { say, end } = await startCat({ path: disk.path, max_bytes: 1n, max_files: 5 })
    for (let number = 1; number <= 9; number++) await say(`${number}\n`)
    const names = (await readdir(join(disk.path, '..'))).sort()
    assert.deepEqual(names, ['log', 'log.1', 'log.2'])
    await end()
    const texts = await Promise.all(names.map((name) => readFile(`${disk.path}${name.slice(3)}`)))
    const numbers = texts.reverse().flatMap((text) => parseLog(text.toString()))
    assert.deepEqual(
      numbers.map(({ log }) => log),
      Array.from({ length: 9 }, (_, index) => `${index + 1}\n`),
    )
  })
})

async function fill(path: string): Promise<void> {
  for (const bytes of [4096, 1]) {
    try {
      for (;;) await appendFile(path, Buffer.alloc(bytes))
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
}

function logOf(line: string | undefined): string | undefined {
  return parseLog(`${line}\n`)[0]?.log
}
