import { Transform } from 'node:stream'
import { FrameDecoder } from '@ctr/api'

/** Takes Docker's eight-byte headers off: both streams in one, for a WebSocket. */
export function unframed(): Transform {
  const decoder = new FrameDecoder()
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        for (const { payload } of decoder.push(chunk)) this.push(payload)
        done()
      } catch (error) {
        done(error as Error)
      }
    },
  })
}
