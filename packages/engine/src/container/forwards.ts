import { isErrno } from '@ctr/errdefs'
import {
  type ForwardChanges,
  mappedAddress,
  type PublishedPort,
  type RefusedPort,
  type Target,
} from '@ctr/network'
import { ANSWER_TIMEOUT_MS, connectShim, type HostPort, type ShimConnection } from '@ctr/shim'
import type { Engine } from '../engine.ts'
import { containerRuntimeDir } from './runtime-dir.ts'

/** A running container, for changes of its networks. */
export function networkTarget(
  engine: Pick<Engine, 'config'>,
  containerId: string,
  { pid, startTime }: { readonly pid: number; readonly startTime: bigint },
): Target {
  const runtimeDir = containerRuntimeDir(engine.config, containerId)
  return {
    pid,
    startTime,
    setForwards: (changes) => setForwards(runtimeDir, changes),
    openResolver: (port) => openResolver(runtimeDir, port),
  }
}

/**
 * On a connection of its own: a shim of an older engine hangs up on what it does not know. It listens as before then, which
 * only clients on the host's loopback notice.
 */
async function setForwards(
  runtimeDir: string,
  { opened, closed }: ForwardChanges,
): Promise<RefusedPort | undefined> {
  const connection = await connectIfThere(runtimeDir)
  if (connection === undefined) return undefined
  try {
    await Promise.all(closed.map((port) => unlessGone(connection.unforward(hostPort(port)))))
    const errors = await Promise.all(
      opened.map(async ({ targetAddress, containerPort, ...port }) => {
        const target = { address: mappedAddress(targetAddress), port: containerPort }
        try {
          await unlessGone(connection.forward(hostPort(port), target))
          return undefined
        } catch (error) {
          return { port: { ...port, containerPort }, errno: refusal(error) }
        }
      }),
    )
    return errors.find((error) => error !== undefined)
  } finally {
    connection.close()
  }
}

/** On a connection of its own, for the same reason. */
async function openResolver(runtimeDir: string, port: number): Promise<void> {
  const connection = await connectIfThere(runtimeDir)
  if (connection === undefined) return
  try {
    await unlessGone(connection.openResolver(port))
  } finally {
    connection.close()
  }
}

function hostPort({
  protocol,
  hostIp,
  hostPort: port,
}: Omit<PublishedPort, 'containerPort'>): HostPort {
  return { protocol, address: mappedAddress(hostIp), port }
}

async function connectIfThere(runtimeDir: string): Promise<ShimConnection | undefined> {
  try {
    return await connectShim(runtimeDir, ANSWER_TIMEOUT_MS)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ECONNREFUSED', 'ESRCH')) return undefined
    throw error
  }
}

/** What the shim has answered; throws what is none. */
function refusal(error: unknown): string {
  const isAnswer = error instanceof Error && 'errno' in error && 'code' in error
  if (isAnswer && typeof error.code === 'string') return error.code
  throw error
}

/** Its listeners have gone with it. */
async function unlessGone(request: Promise<void>): Promise<void> {
  try {
    await request
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error
  }
}
