import type { Socket } from 'node:net'

/** Larger heads are refused, as by Go's http.DefaultMaxHeaderBytes. */
export const MAX_HEADER_BYTES = 1024 * 1024

/** What never became a request: broken HTTP, headers that are too long or too slow. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, message] = brokenRequest(error.code)
  const body = `${JSON.stringify({ message })}\n`
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

function brokenRequest(code: string | undefined): readonly [status: string, message: string] {
  if (code === 'HPE_HEADER_OVERFLOW') {
    const message = `the headers are larger than ${MAX_HEADER_BYTES} bytes`
    return ['431 Request Header Fields Too Large', message]
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return ['408 Request Timeout', 'the request did not arrive in time']
  }
  return ['400 Bad Request', `malformed HTTP request${code === undefined ? '' : ` (${code})`}`]
}
