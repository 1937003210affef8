import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectError } from '@ctr/client'
import { nodeFs } from './node-modules.ts'

/** A ctrd that is older and does not listen has other troubles. */
const LISTENS_WITHIN_MS = 30_000

/** Also what `ctrd & ctr ps` gives the shell to get from one program to the other; and what an error takes longer. */
const LOOK_AGAIN_MS = 25

/** proc_pid_stat(5), time(7): USER_HZ, 100 on all processors that we run on. */
const TICK_MS = 10

const DEFAULT_SOCKETS = ['/var/run/ctr.sock', '/run/ctr.sock']
const DEFAULT_ADDRESSES = ['unix://', ...DEFAULT_SOCKETS.map((path) => `unix://${path}`)]

/** As bin/ctrd, by its shell first, and from its source. */
const PROGRAM = /^(?:\S*\/)?(?:ctrd|apps\/daemon\/(?:dist\/main\.mjs|src\/main\.ts))$/

/**
 * Whether the socket that nobody listens on is that of a ctrd which was started just now, as in `ctrd & ctr ps`. Says so after a
 * moment, so that it can be asked again and again.
 */
export async function daemonIsStarting({ host, systemCode }: ConnectError): Promise<boolean> {
  const isAbsent = systemCode === 'ENOENT' || systemCode === 'ECONNREFUSED'
  if (host.kind !== 'unix' || !isAbsent) return false
  await delay(LOOK_AGAIN_MS)
  return nodeFs()
    .readdirSync('/proc')
    .some((pid) => /^[0-9]+$/.test(pid) && isStartingOn(pid, host.path))
}

function isStartingOn(pid: string, socket: string): boolean {
  try {
    const words = nodeFs().readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return meansSocket(words, socket) && ageMs(pid) < LISTENS_WITHIN_MS
  } catch {
    // It has gone, or is nothing for our eyes.
    return false
  }
}

/** Whether these words start a ctrd that will listen there. An address in its configuration file is not found. */
export function meansSocket(words: readonly string[], socket: string): boolean {
  if (!words.some((word) => PROGRAM.test(word))) return false
  const isDefault = DEFAULT_SOCKETS.includes(socket)
  if (!words.some((word) => /^(?:-H|--host)/.test(word))) return isDefault
  const addresses = isDefault ? DEFAULT_ADDRESSES : [`unix://${socket}`]
  return words.some((word) => addresses.some((address) => word.endsWith(address)))
}

function ageMs(pid: string): number {
  const stat = nodeFs().readFileSync(`/proc/${pid}/stat`, 'latin1')
  // Field 22 of proc_pid_stat(5); the second may hold spaces.
  const startTicks = Number(stat.split(') ').at(-1)?.split(' ')[19])
  const [uptimeSeconds = ''] = nodeFs().readFileSync('/proc/uptime', 'latin1').split(' ')
  return Number(uptimeSeconds) * 1000 - startTicks * TICK_MS
}
