import type { Socket } from 'node:net'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { connectUnix } from './connect.ts'
import { gone, requestError, withTimeout } from './connection.ts'
import { encodeFrame, FRAMES, u32s } from './frames.ts'
import type { ShimSocket } from './shim-socket.ts'

/**
 * Attaches to the process's streams. After this the socket is raw: with a terminal its output as it is, else Docker's
 * multiplexed frames; what is written goes to stdin, and `end()` ends it (STDIO_STDIN_ONCE). Errors as of `connectShim`.
 */
export async function attachShim(
  runtimeDir: string,
  streams: { stdin: boolean; stdout: boolean; stderr: boolean },
  timeoutMs?: number,
): Promise<ShimSocket> {
  const socket = await connectUnix(join(runtimeDir, 'shim.sock'))
  const flags = (streams.stdin ? 1 : 0) | (streams.stdout ? 2 : 0) | (streams.stderr ? 4 : 0)
  socket.write(encodeFrame('ATTACH', u32s(flags)))
  try {
    const errno = await withTimeout(readResult(socket), timeoutMs, runtimeDir)
    if (errno !== 0) throw requestError(errno)
    loseLateInput(socket)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/**
 * Input for a process that has ended goes nowhere. Node would destroy the socket of a failed write, and with it what the process
 * had said before and nobody has read yet.
 */
function loseLateInput(socket: Socket): void {
  const write = socket._write.bind(socket)
  const writeAll = socket._writev?.bind(socket)
  socket._write = (bytes, encoding, done) => write(bytes, encoding, unlessGone(done))
  if (writeAll) socket._writev = (pieces, done) => writeAll(pieces, unlessGone(done))
}

type Done = (error?: Error | null) => void

function unlessGone(done: Done): Done {
  return (error) => done(isErrno(error, 'EPIPE', 'ECONNRESET') ? null : error)
}

/** Reads frames up to RESULT and not a byte more: what follows belongs to the raw stream. */
function readResult(socket: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let header: Buffer | null = null
    const settle = (finish: () => void): void => {
      socket.off('readable', onReadable).off('end', onEnd).off('error', onError)
      finish()
    }
    const onEnd = (): void => settle(() => reject(gone()))
    const onError = (error: Error): void => settle(() => reject(error))
    const onReadable = (): void => {
      for (;;) {
        header ??= socket.read(8) as Buffer | null
        if (header === null) return
        const length = header.readUInt32BE(4)
        const payload = length === 0 ? Buffer.alloc(0) : (socket.read(length) as Buffer | null)
        if (payload === null) return
        const type = header[0]
        header = null
        if (type !== FRAMES.RESULT) continue
        settle(() => resolve(payload.readUInt32LE(0)))
        return
      }
    }
    socket.on('readable', onReadable).on('end', onEnd).on('error', onError)
  })
}
