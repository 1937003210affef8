import { EngineError } from '@ctr/errdefs'
import type { PoolRequest, PoolRow } from '@ctr/store'
import {
  contains,
  formatAddress,
  formatSubnet,
  parseAddress,
  parseSubnet,
  type Subnet,
} from '../address.ts'
import { defaultGateway } from './ipam.ts'

/** Checks one `--subnet` with its `--gateway`, `--ip-range` and `--aux-address`es. */
export function planPool(entry: PoolRequest): PoolRow {
  const subnet = parseSubnet(entry.subnet ?? '')
  if (subnet === undefined) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid subnet ${entry.subnet ?? ''}: invalid CIDR block notation`,
    )
  }
  if (subnet.prefix === 0 || (subnet.family === 4 && subnet.prefix > 31)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid subnet ${entry.subnet}: no room for containers`,
    )
  }
  const range = entry.ipRange ? parseSubnet(entry.ipRange) : undefined
  if (
    entry.ipRange &&
    (range === undefined ||
      !contains(subnet, { family: range.family, value: range.address }) ||
      range.prefix < subnet.prefix)
  ) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `invalid ip-range ${entry.ipRange}: it does not belong to subnet ${formatSubnet(subnet)}`,
    )
  }
  const checked = (what: string, text: string): string => {
    const address = parseAddress(text)
    if (address === undefined || !contains(subnet, address)) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `invalid ${what} ${text}: it does not belong to subnet ${formatSubnet(subnet)}`,
      )
    }
    return formatAddress(address)
  }
  const auxAddresses = Object.fromEntries(
    Object.entries(entry.auxAddresses ?? {}).map(([name, text]) => [
      name,
      checked('auxiliary address', text),
    ]),
  )
  const fallback = formatAddress({ family: subnet.family, value: defaultGateway(subnet) })
  return {
    subnet: formatSubnet(subnet),
    gateway: entry.gateway ? checked('gateway', entry.gateway) : fallback,
    ipRange: range === undefined ? undefined : formatSubnet(range),
    auxAddresses,
    isExplicit: true,
  }
}

export function automatic(subnet: Subnet): PoolRow {
  const gateway = formatAddress({ family: subnet.family, value: defaultGateway(subnet) })
  return {
    subnet: formatSubnet(subnet),
    gateway,
    ipRange: undefined,
    auxAddresses: {},
    isExplicit: false,
  }
}

/** As clients read them: libnetwork has a list of each family. */
export function ipv4First(pools: readonly PoolRow[]): PoolRow[] {
  return pools.toSorted((a, b) => Number(a.subnet.includes(':')) - Number(b.subnet.includes(':')))
}
