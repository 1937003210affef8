import { close, fstat } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { invalid } from '@ctr/errdefs'
import { FileInput } from '@ctr/images'
import { filesystemOf, isOpenForReading, takePeerFile } from '@ctr/linux'
import { CLIENT_GONE } from './client-gone.ts'

const fstatAsync = promisify(fstat)

/** `descriptor device inode position start`, decimal. See `openBodyFile`. */
const HEADER = 'ctr-body-file'

/** True for a request whose client waits to be told whether to send the body: Node's own `100 Continue` is not to be sent. */
export function offersBodyFile(request: IncomingMessage): boolean {
  return request.headers[HEADER] !== undefined
}

/**
 * A client on this host whose body is a file says so, and sends no body before `100 Continue` (RFC 9110 §10.1.1). We take the
 * open file from it instead, which saves both of us the way of all bytes through the socket. It is what the client itself has
 * opened, for the kernel tells who is at the other end. Behind a proxy that is the proxy, whose files nobody has offered: who sends the
 * header must know when the process at the other end has begun, and device and inode of its descriptor. `102 Processing` says that the file is taken; a client that has given up waiting sends the body in vain, and
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
  // Who reads it hears of it, too. Nobody does where the request has failed before.
  file.on('error', () => undefined)
  return file
}

async function takeBodyFile(request: IncomingMessage): Promise<FileInput | undefined> {
  const match = /^(\d{1,9}) (\d{1,20}) (\d{1,20}) (\d{1,15}) (\d{1,20})$/.exec(
    String(request.headers[HEADER]),
  )
  const { _handle: handle } = request.socket as { readonly _handle?: { readonly fd?: number } }
  if (match === null || handle?.fd === undefined || handle.fd < 0) return undefined
  const [, fd, device = '', inode = '', position, start = ''] = match
  const taken = takePeerFile(handle.fd, Number(fd), BigInt(start))
  if (taken === undefined) return undefined
  try {
    if (await isReadHere(taken, { device: BigInt(device), inode: BigInt(inode) })) {
      return new FileInput(taken, Number(position))
    }
  } catch (error) {
    close(taken)
    throw error
  }
  close(taken)
  return undefined
}

/**
 * Filesystems that keep data. What others give may be made for the process that reads (proc, sysfs), or may never come
 * (fuse, nfs), which would cost the daemon a thread: such a file its client reads itself.
 */
const READ_HERE = [
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'f2fs',
  'zfs',
  'bcachefs',
  'tmpfs',
  'overlay',
]

/** INVALID_ARGUMENT if it is the file, but not open for reading. */
async function isReadHere(
  fd: number,
  wanted: { readonly device: bigint; readonly inode: bigint },
): Promise<boolean> {
  if (!READ_HERE.includes(filesystemOf(fd) ?? '')) return false
  const stats = await fstatAsync(fd, { bigint: true })
  if (!stats.isFile() || stats.dev !== wanted.device || stats.ino !== wanted.inode) return false
  if (!isOpenForReading(fd)) throw invalid('the file that is to be read is not open for reading')
  return true
}
