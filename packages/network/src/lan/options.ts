import { EngineError } from '@ctr/errdefs'
import type { Network } from '../network/network.ts'

/** Networks whose containers are on a link of the host, the parent, with addresses of that network: drivers macvlan and ipvlan. */
export type LanMode =
  | { readonly driver: 'macvlan'; readonly mode: (typeof MACVLAN_MODES)[number] }
  | {
      readonly driver: 'ipvlan'
      readonly mode: (typeof IPVLAN_MODES)[number]
      readonly flag: (typeof IPVLAN_FLAGS)[number]
    }

export type LanNetwork = Network & { readonly driver: LanMode['driver'] }

const MACVLAN_MODES = ['bridge', 'private', 'vepa', 'passthru'] as const
const IPVLAN_MODES = ['l2', 'l3', 'l3s'] as const
const IPVLAN_FLAGS = ['bridge', 'private', 'vepa'] as const
const OPTION_PARENT = 'parent'

export function isLan(network: Network): network is LanNetwork {
  return network.driver === 'macvlan' || network.driver === 'ipvlan'
}

/** INVALID_ARGUMENT, with dockerd's texts. */
export function parseLanMode({ driver, options }: Pick<LanNetwork, 'driver' | 'options'>): LanMode {
  if (driver === 'macvlan') {
    const asked = options['macvlan_mode'] || 'bridge'
    const mode = MACVLAN_MODES.find((known) => known === asked)
    if (mode !== undefined) return { driver, mode }
    throw invalid(
      `requested macvlan mode '${asked}' is not valid, 'bridge' mode is the macvlan driver default`,
    )
  }
  const askedMode = options['ipvlan_mode'] || 'l2'
  const mode = IPVLAN_MODES.find((known) => known === askedMode)
  if (mode === undefined) {
    throw invalid(
      `requested ipvlan mode '${askedMode}' is not valid, 'l2' mode is the ipvlan driver default`,
    )
  }
  const askedFlag = options['ipvlan_flag'] || 'bridge'
  const flag = IPVLAN_FLAGS.find((known) => known === askedFlag)
  if (flag !== undefined) return { driver, mode, flag }
  throw invalid(
    `requested ipvlan flag '${askedFlag}' is not valid, 'bridge' is the ipvlan driver default`,
  )
}

/** Name of the host's link; with none asked for, of one that is connected with nothing. */
export function parentOf({ id, driver, options }: LanNetwork): string {
  const prefix = driver === 'macvlan' ? 'dm' : 'di'
  return options[OPTION_PARENT] || `${prefix}-${id.slice(0, 12)}`
}

export function hasOwnParent(network: LanNetwork): boolean {
  return (network.options[OPTION_PARENT] ?? '') === ''
}

/** Containers have a default route: by the gateway that the user has named, or, routed by the kernel, by the link itself. */
export function lanLeadsOut(network: LanNetwork): boolean {
  if (network.isInternal || hasOwnParent(network)) return false
  return isRoutedByLink(network) || network.pools.some(({ gateway }) => gateway !== '')
}

/** ipvlan in its modes l3 and l3s: there are no neighbours, and no gateway. */
export function isRoutedByLink(network: Network): boolean {
  if (network.driver !== 'ipvlan') return false
  const mode = network.options['ipvlan_mode']
  return mode === 'l3' || mode === 'l3s'
}

/** What dockerd 28 refuses of a network beside others with its parent. INVALID_ARGUMENT, FORBIDDEN. */
export function checkLan(network: LanNetwork, others: readonly Network[]): void {
  const mode = parseLanMode(network)
  const parent = parentOf(network)
  if (parent === 'lo') {
    throw invalid(`loopback interface is not a valid ${network.driver} parent link`)
  }
  // dev_valid_name() of the kernel; it becomes part of a path.
  if (!/^[^\s/:]{1,15}$/.test(parent) || parent === '.' || parent === '..') {
    throw invalid(`${OPTION_PARENT}: ${JSON.stringify(parent)} is no name of a link`)
  }
  for (const other of others.filter(isLan)) {
    if (parentOf(other) !== parent || other.configuration !== undefined) continue
    const reason = conflict(mode, other, parent)
    if (reason !== undefined) throw new EngineError('FORBIDDEN', reason)
  }
}

/** The kernel has links of one driver only on a parent, and with `passthru` one link. */
function conflict(mode: LanMode, other: LanNetwork, parent: string): string | undefined {
  if (mode.driver !== 'macvlan' || other.driver !== 'macvlan') {
    const name = `${other.driver === 'macvlan' ? 'dm' : 'di'}-${other.id.slice(0, 12)}`
    return `network ${name} is already using parent interface ${parent}`
  }
  if (mode.mode === 'passthru') {
    return `cannot use mode passthru, macvlan network ${other.id} is already using parent interface ${parent}`
  }
  if (other.options['macvlan_mode'] === 'passthru') {
    return `macvlan network ${other.id} is already using parent interface ${parent} in mode passthru`
  }
  return undefined
}

function invalid(message: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', message)
}
