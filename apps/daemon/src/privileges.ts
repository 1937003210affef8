import { readFileSync } from 'node:fs'
import { EngineError } from '@ctr/errdefs'

/** What no container starts without: linux/capability.h. A container of Docker has neither. */
const NEEDED = [
  { name: 'CAP_NET_ADMIN', bit: 12n },
  { name: 'CAP_SYS_ADMIN', bit: 21n },
]

/** Throws FORBIDDEN where ctrd could start, and no container of it. */
export function checkPrivileges(): void {
  const why = missingPrivileges(
    process.geteuid?.() ?? 0,
    readFileSync('/proc/self/status', 'latin1'),
  )
  if (why !== undefined) throw new EngineError('FORBIDDEN', why)
}

/** `status`: /proc/self/status, proc_pid_status(5). */
export function missingPrivileges(uid: number, status: string): string | undefined {
  if (uid !== 0) {
    return 'it needs root, for namespaces, mounts and cgroups: become root, or start it with sudo'
  }
  const [, mask] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? []
  if (mask === undefined) return undefined
  const missing = NEEDED.filter(({ bit }) => ((BigInt(`0x${mask}`) >> bit) & 1n) === 0n)
  if (missing.length === 0) return undefined
  const names = missing.map(({ name }) => name).join(' and ')
  return `it needs ${names}, which this root does not have: in a container, start that one with --privileged`
}
