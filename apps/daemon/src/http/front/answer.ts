import { STATUS_CODES } from 'node:http'
import { SERVER_HEADER } from '../../version.ts'
import { API_VERSION } from '../api-version.ts'

/** Seconds that a connection without a request stays. */
export const KEEP_ALIVE_S = 60

const SECOND_MS = 1000
const COMMON = `api-version: ${API_VERSION}\r\ndocker-experimental: true\r\nostype: linux\r\nserver: ${SERVER_HEADER}\r\n`
const STAYS = `Connection: keep-alive\r\nKeep-Alive: timeout=${KEEP_ALIVE_S}\r\n`
const ENDS = 'Connection: close\r\n'

let dateSecond = 0
let dateText = ''

/** RFC 9110 §6.6.1 */
function date(): string {
  const second = Math.trunc(Date.now() / SECOND_MS)
  if (second === dateSecond) return dateText
  dateSecond = second
  dateText = new Date(second * SECOND_MS).toUTCString()
  return dateText
}

/** Head and body of an answer, after which the connection stays or ends; `headers` are whole lines. Of a body to HEAD only type and length are told. */
export function answerText(
  method: string,
  status: number,
  headers: string,
  body?: { readonly type: string; readonly text: string },
  isLast = false,
): string {
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304
  const own =
    body !== undefined
      ? `content-type: ${body.type}\r\ncontent-length: ${Buffer.byteLength(body.text)}\r\n`
      : hasBody
        ? 'content-length: 0\r\n'
        : ''
  const text = hasBody ? (body?.text ?? '') : ''
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${COMMON}${headers}${own}Date: ${date()}\r\n${isLast ? ENDS : STAYS}\r\n${text}`
}

/** Head of an answer whose length is not known. */
export function chunkedHead(headers: string, type: string): string {
  return `HTTP/1.1 200 OK\r\n${COMMON}${headers}Content-Type: ${type}\r\nDate: ${date()}\r\n${STAYS}Transfer-Encoding: chunked\r\n\r\n`
}
