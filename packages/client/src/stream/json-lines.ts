import { EngineError } from '@ctr/errdefs'
import type { BodyStream } from '../http/body-stream.ts'

const MAX_LINE_BYTES = 64 * 1024 * 1024
const LF = 10

/** One JSON value per line, as stats and progress streams send them. */
export async function* jsonLines<T>(body: BodyStream): AsyncGenerator<T, void, undefined> {
  for await (const line of textLines(body)) yield parseLine<T>(line)
}

/** Lines without their ends; blank ones are skipped. */
export async function* textLines(body: BodyStream): AsyncGenerator<string, void, undefined> {
  let rest = Buffer.alloc(0)
  for await (const chunk of body) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = rest.indexOf(LF); end >= 0; end = rest.indexOf(LF, start)) {
      const line = rest.subarray(start, end).toString().trim()
      start = end + 1
      if (line !== '') yield line
    }
    rest = rest.subarray(start)
    if (rest.length > MAX_LINE_BYTES)
      throw new EngineError('INTERNAL', 'a line of the stream is too long')
  }
  const last = rest.toString().trim()
  if (last !== '') yield last
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
