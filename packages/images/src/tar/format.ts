/** The ustar header block and its GNU and pax extensions. pax(1), tar(5) of libarchive, GNU tar manual appendix D */

export const BLOCK_BYTES = 512

export type EntryType =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'character'
  | 'block'
  | 'directory'
  | 'fifo'

/**
 * One member of an archive. Paths are bytes, kept as latin1 strings (one char per byte), because a file name need not
 * be UTF-8; `toPathBytes` makes them fit for a system call.
 */
export interface TarEntry {
  path: string
  type: EntryType
  linkTarget: string
  /** Permission bits with set-uid, set-gid and sticky: 0o7777. */
  mode: number
  uid: number
  gid: number
  /** Bytes of the file when extracted (with its holes). */
  size: number
  mtimeSeconds: number
  mtimeNanoseconds: number
  major: number
  minor: number
  xattrs: Map<string, Buffer> | undefined
}

/** A piece of a sparse file that holds data. */
export interface SparseChunk {
  offset: number
  length: number
}

/** The archive is not a tar file, or is broken or cut short. `message` names what is wrong. */
export class TarError extends Error {
  override readonly name = 'TarError'
}

/** Only bytes of ASCII, so that text and bytes are the same. NUL counts as none: no path holds it. */
export function isAscii(path: string): boolean {
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index)
    if (code === 0 || code > 0x7f) return false
  }
  return true
}

/** A latin1 path as an argument of a system call: text if it is ASCII, else its bytes. */
export function toPathBytes(path: string): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, 'latin1')
}

/** A path of the host (or of JavaScript text) as latin1 bytes. */
export function fromText(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** The text that latin1 bytes mean. */
export function toText(path: string): string {
  return isAscii(path) ? path : Buffer.from(path, 'latin1').toString('utf8')
}
