import type { HostConfig } from '@ctr/api'
import { hasSctp } from '@ctr/linux'

/** What a user has to know of published ports of SCTP where the kernel has none. */
export function sctpWarnings({ PortBindings }: HostConfig): string[] {
  const isAsked = Object.keys(PortBindings ?? {}).some((port) => port.endsWith('/sctp'))
  if (!isAsked || hasSctp()) return []
  return [
    'Your kernel does not support SCTP. Published sctp ports lead packets from outside to the container, and no program of this host can use them.',
  ]
}
