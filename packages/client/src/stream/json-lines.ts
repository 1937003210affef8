import { EngineError } from '@ctr/errdefs'
import type { BodyStream } from '../http/body-stream.ts'

const MAX_LINE_BYTES = 64 * 1024 * 1024

/** One JSON value per line, as events, stats and progress streams send them. Blank lines are skipped. */
export async function* jsonLines<T>(body: BodyStream): AsyncGenerator<T, void, undefined> {
  let rest = Buffer.alloc(0)
  for await (const chunk of body) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end).toString().trim()
      rest = rest.subarray(end + 1)
      if (line !== '') yield parseLine<T>(line)
    }
    if (rest.length > MAX_LINE_BYTES)
      throw new EngineError('INTERNAL', 'a line of the stream is too long')
  }
  const last = rest.toString().trim()
  if (last !== '') yield parseLine<T>(last)
}

function parseLine<T>(line: string): T {
  try {
    return JSON.parse(line) as T
  } catch (error) {
    throw new EngineError('INTERNAL', `invalid JSON in the stream: ${line.slice(0, 80)}`, {
      cause: error,
    })
  }
}
