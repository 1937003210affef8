import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { FrameDecoder, REPORT, type RunReport, STDERR, STDOUT } from '@ctr/api'

/** What a process that was run in one request has written, and how it ended. */
export interface RunOutput {
  readonly stdout: string
  readonly stderr: string
  readonly report: RunReport
}

export async function readRun(socket: Socket): Promise<RunOutput> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  const frames = new FrameDecoder(REPORT).push(Buffer.concat(chunks))
  const of = (kind: number): string =>
    Buffer.concat(
      frames.filter(({ stream }) => stream === kind).map(({ payload }) => payload),
    ).toString()
  assert.equal(frames.at(-1)?.stream, REPORT)
  return { stdout: of(STDOUT), stderr: of(STDERR), report: JSON.parse(of(REPORT)) }
}
