import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import type { Log } from '../log.ts'
import { bind } from './bind.ts'

/** Members of the group may use the engine, which makes them root; others may not. */
const SOCKET_MODE = 0o660

export interface SocketGroup {
  readonly name: string
  /** Asked for: must exist. */
  readonly isRequired: boolean
}

/** Listens on a unix socket; one that nobody listens on any more is replaced, one in use is refused. */
export async function listenOnPath(
  server: Server,
  path: string,
  group: SocketGroup,
  log: Log,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true })
  await refuseTakenSocket(path)
  rmSync(path, { force: true })
  await bind(server, { path })
  // Until here the umask keeps others out: connecting needs the right to write. unix(7)
  const gid = findGroup(group.name)
  if (gid !== undefined) chownSync(path, 0, gid)
  else if (group.isRequired)
    throw new EngineError('INVALID_ARGUMENT', `group ${group.name} not found`)
  chmodSync(path, SOCKET_MODE)
  log.info({ socket: path, group: gid === undefined ? 'root' : group.name }, 'listening')
}

/** Throws CONFLICT for a path that somebody listens on, or that is no socket. */
export async function refuseTakenSocket(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false) {
    throw new EngineError('CONFLICT', `${path} exists and is not a socket`)
  }
  if (await isAnswering(path)) {
    throw new EngineError('CONFLICT', `another daemon listens on ${path}`)
  }
}

function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error) => {
      if (isErrno(error, 'ENOENT', 'ECONNREFUSED')) resolve(false)
      else reject(error)
    })
  })
}

function findGroup(name: string): number | undefined {
  if (/^[0-9]+$/.test(name)) return Number(name)
  const line = readGroups().find((candidate) => candidate.startsWith(`${name}:`))
  return line === undefined ? undefined : Number(line.split(':')[2])
}

function readGroups(): string[] {
  try {
    return readFileSync('/etc/group', 'utf8').split('\n')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}
