import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ProgressMessage } from '@ctr/api'
import { showProgress } from './progress.ts'

async function shown(
  messages: readonly ProgressMessage[],
  columns: number | undefined,
): Promise<string> {
  let text = ''
  const write = (part: string): void => {
    text += part
  }
  const isTerminal = columns !== undefined
  await showProgress(ReadableStream.from(messages), {
    write,
    isTerminal,
    columns: () => columns,
  })
  return text
}

const layer = (
  status: string,
  progressDetail: NonNullable<ProgressMessage['progressDetail']>,
): ProgressMessage => ({ status, progressDetail, id: 'aaa' })

/** What docker 28 wrote for the same messages. */
describe('progress', () => {
  const PULL: ProgressMessage[] = [
    { status: 'Pulling from library/busybox', id: 'latest' },
    layer('Pulling fs layer', {}),
    layer('Downloading', { current: 1_000_000, total: 2_000_000 }),
    layer('Pull complete', {}),
    { status: 'Digest: sha256:12' },
  ]

  it('rewrites the line of an id', async () => {
    assert.equal(
      await shown(PULL, 120),
      'latest: Pulling from library/busybox\n' +
        '\n\u001b[1A\u001b[2K\raaa: Pulling fs layer \r\u001b[1B' +
        `\u001b[1A\u001b[2K\raaa: Downloading [${'='.repeat(25)}>${' '.repeat(25)}]      1MB/2MB\r\u001b[1B` +
        '\u001b[1A\u001b[2K\raaa: Pull complete \r\u001b[1B' +
        'Digest: sha256:12\n',
    )
  })

  it('is plain without a terminal', async () => {
    assert.equal(
      await shown(PULL, undefined),
      'latest: Pulling from library/busybox\naaa: Pulling fs layer\naaa: Pull complete\nDigest: sha256:12\n',
    )
  })

  const BARS: [ProgressMessage['progressDetail'] & object, columns: number, text: string][] = [
    [{ current: 540, total: 2_000_000 }, 110, '    540B/2MB'],
    [{ current: 540, total: 2_000_000 }, 111, `[>${' '.repeat(50)}]     540B/2MB`],
    [{ current: 1_986_242, total: 1_986_242 }, 111, `[${'='.repeat(50)}>]  1.986MB/1.986MB`],
    [{ current: 2_100_000, total: 2_000_000 }, 80, '   2.1MB'],
    [{ current: 123_456 }, 120, ' 123.5kB'],
    [{ current: 1, units: 's' }, 120, '1 s'],
    [{ current: 1, total: 3, units: 's' }, 80, '1/3 s'],
    [{ current: 1, total: 2, hidecounts: true }, 80, ''],
  ]
  for (const [detail, columns, text] of BARS) {
    it(`${JSON.stringify(detail)} on ${columns} columns`, async () => {
      assert.equal(
        await shown([layer('X', detail)], columns),
        `\n\u001b[1A\u001b[2K\raaa: X ${text}\r\u001b[1B`,
      )
    })
  }

  it('fails with the error that travels in the stream', async () => {
    const messages = [{ errorDetail: { message: 'no' }, error: 'no' }]
    await assert.rejects(shown(messages, 80), /^Error: no$/)
  })
})
