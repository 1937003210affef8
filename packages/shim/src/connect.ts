import { open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { ShimSocket } from './shim-socket.ts'

/** sun_path of unix(7) has 108 bytes, the last for NUL. */
const SUN_PATH_MAX_BYTES = 107

/** Connects to a Unix socket at a path of any length. Rejects with Node's system error (`ENOENT`, `ECONNREFUSED`). */
export async function connectUnix(path: string): Promise<ShimSocket> {
  if (Buffer.byteLength(path) <= SUN_PATH_MAX_BYTES) return await connectTo(path)
  const directory = await open(dirname(path))
  try {
    return await connectTo(`/proc/self/fd/${directory.fd}/${basename(path)}`)
  } finally {
    await directory.close()
  }
}

function connectTo(path: string): Promise<ShimSocket> {
  return new Promise((resolve, reject) => {
    const socket = new ShimSocket()
    socket.connect({ path })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
