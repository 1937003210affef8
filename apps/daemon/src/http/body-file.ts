import { close, fstat } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { FileInput } from '@ctr/images'
import { takePeerFile } from '@ctr/linux'
import { CLIENT_GONE } from './client-gone.ts'

const fstatAsync = promisify(fstat)

/** `descriptor device inode position`, decimal. See `openBodyFile`. */
const HEADER = 'ctr-body-file'

/** True for a request whose client waits to be told whether to send the body: Node's own `100 Continue` is not to be sent. */
export function offersBodyFile(request: IncomingMessage): boolean {
  return request.headers[HEADER] !== undefined
}

/**
 * A client on this host whose body is a file says so, and sends no body before `100 Continue` (RFC 9110 §10.1.1). We take the
 * open file from it instead, which saves both of us the way of all bytes through the socket. It is what the client itself has
 * opened, for the kernel tells who is at the other end. Device and inode must be right: behind a proxy the descriptor would be one
 * of the proxy's. `102 Processing` says that the file is taken; a client that has given up waiting sends the body in vain, and
 * moves the position that we share, which is why the header has it. Where anything is not as it should be, undefined: the client is
 * then told to go on, as by any other daemon.
 */
export async function openBodyFile(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Readable | undefined> {
  const file = await takeBodyFile(request)
  if (file === undefined) {
    response.writeContinue()
    return undefined
  }
  response.writeProcessing()
  // As a body that breaks off: who goes away wants no image any more.
  response.once('close', () => file.destroy(CLIENT_GONE))
  return file
}

async function takeBodyFile(request: IncomingMessage): Promise<FileInput | undefined> {
  const match = /^(\d{1,9}) (\d{1,20}) (\d{1,20}) (\d{1,15})$/.exec(String(request.headers[HEADER]))
  const { _handle: handle } = request.socket as { readonly _handle?: { readonly fd?: number } }
  if (match === null || handle?.fd === undefined || handle.fd < 0) return undefined
  const [, fd, device = '', inode = '', position] = match
  const taken = takePeerFile(handle.fd, Number(fd))
  if (taken === undefined) return undefined
  const stats = await fstatAsync(taken, { bigint: true })
  const isIt = stats.isFile() && stats.dev === BigInt(device) && stats.ino === BigInt(inode)
  if (isIt) return new FileInput(taken, Number(position))
  close(taken)
  return undefined
}
