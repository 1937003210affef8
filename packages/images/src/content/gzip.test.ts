import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { gzipFile } from './gzip.ts'

const MIB = 1 << 20
const folder = mkdtempSync(join(tmpdir(), 'ctr-gzip-test-'))

async function compressed(data: Buffer): Promise<Buffer> {
  const path = join(folder, 'data')
  writeFileSync(path, data)
  const chunks: Buffer[] = []
  for await (const chunk of gzipFile(path)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Compressible, and nowhere like itself a piece before. */
function text(bytes: number): Buffer {
  const lines: string[] = []
  for (let size = 0, line = 0; size < bytes; line++) {
    const next = `${line} ${(line * 2_654_435_761) % 4_294_967_296}: GET /images/${line % 977}\n`
    lines.push(next)
    size += next.length
  }
  return Buffer.from(lines.join('')).subarray(0, bytes)
}

describe('a file compressed in pieces', () => {
  after(() => rmSync(folder, { recursive: true }))

  for (const size of [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 12_345]) {
    it(`of ${size} bytes is one gzip member with just these`, async () => {
      for (const data of [text(size), randomBytes(size), Buffer.alloc(size)])
        assert.ok(gunzipSync(await compressed(data)).equals(data))
    })
  }

  it('is the same each time, and hardly larger than in one piece', async () => {
    const data = text(8 * MIB)
    const [first, second] = [await compressed(data), await compressed(data)]
    assert.ok(first.equals(second))
    assert.ok(first.length < gzipSync(data).length * 1.01, `${first.length}`)
    const noise = randomBytes(4 * MIB)
    assert.ok((await compressed(noise)).length < noise.length * 1.01)
  })

  it('that is not there is an error, and one that is not read to its end does no harm', async () => {
    await assert.rejects(gzipFile(join(folder, 'missing')).next(), { code: 'ENOENT' })
    writeFileSync(join(folder, 'data'), text(8 * MIB))
    for (let round = 0; round < 5; round++) {
      const chunks = gzipFile(join(folder, 'data'))
      await chunks.next()
      await chunks.next()
      await chunks.return(undefined)
    }
    const data = text(MIB)
    assert.ok(gunzipSync(await compressed(data)).equals(data))
  })
})
