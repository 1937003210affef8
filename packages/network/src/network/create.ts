import { randomBytes } from 'node:crypto'
import { EngineError } from '@ctr/errdefs'
import type { PoolRow } from '@ctr/store'
import { formatAddress, overlaps, parseAddress, type Subnet } from '../address.ts'
import { parseLinkOptions } from '../endpoint/link-options.ts'
import { checkLan, type LanNetwork } from '../lan/options.ts'
import { planConfiguration, withConfiguration } from './configuration.ts'
import type { CreateNetworkOptions } from './create-options.ts'
import type { NetworkDefaults } from './defaults.ts'
import { checkGatewayModes, gatewayMode } from './gateway-mode.ts'
import { chooseIpv6Subnet, chooseSubnet } from './ipam.ts'
import {
  type Network,
  OPTION_BRIDGE_NAME,
  OPTION_ICC,
  OPTION_MASQUERADE,
  parsePool,
  poolsOf,
} from './network.ts'
import { NO_GATEWAY } from './no-gateway.ts'
import { automatic, ipv4First, planPool } from './pool.ts'

/** What a new network must not collide with. */
export interface CreateFacts {
  readonly networks: readonly Network[]
  readonly hostSubnets: readonly Subnet[]
  readonly defaults: NetworkDefaults
  readonly createdAtNs: bigint
}

/** Decides everything about a user-defined network; throws with Docker's texts. Nothing is made yet. */
export function planNetwork(asked: CreateNetworkOptions, facts: CreateFacts): Network {
  checkName(asked.name)
  if (facts.networks.some((network) => network.name === asked.name)) {
    throw new EngineError('CONFLICT', `network with name ${asked.name} already exists`)
  }
  return asked.isConfigOnly === true
    ? planConfiguration(asked, facts.createdAtNs)
    : planLinked(withConfiguration(asked, facts.networks), facts)
}

function planLinked(o: CreateNetworkOptions, facts: CreateFacts): Network {
  const driver = o.driver === undefined || o.driver === '' ? 'bridge' : o.driver
  if (driver === 'host' || driver === 'null') {
    throw new EngineError('FORBIDDEN', `only one instance of "${driver}" network is allowed`)
  }
  if (driver === 'macvlan' || driver === 'ipvlan') return planLan(o, driver, facts)
  if (driver !== 'bridge') {
    throw new EngineError('NOT_FOUND', `plugin "${driver}" not found`)
  }
  const id = randomBytes(32).toString('hex')
  const options = { ...facts.defaults.options[driver], ...o.options }
  checkOptions(options, o.isInternal ?? false)
  const bridge = options[OPTION_BRIDGE_NAME] ?? `br-${id.slice(0, 12)}`
  checkLinkName(bridge)
  if (facts.networks.some((network) => network.bridge === bridge)) {
    throw new EngineError(
      'FORBIDDEN',
      `cannot create network ${id} (${bridge}): conflicts with network ${facts.networks.find((n) => n.bridge === bridge)?.id} (${bridge}): networks have same bridge name`,
    )
  }
  const isIsolated = (family: 4 | 6): boolean => gatewayMode({ options }, family) === 'isolated'
  const pools = planPools(o, facts).map((pool) =>
    isIsolated(pool.subnet.includes(':') ? 6 : 4) ? withAskedGateway(pool, o) : pool,
  )
  return {
    ...basicsOf(o, facts, pools),
    id,
    driver: 'bridge',
    bridge,
    options,
  }
}

function planLan(
  o: CreateNetworkOptions,
  driver: LanNetwork['driver'],
  facts: CreateFacts,
): LanNetwork {
  const pools = planPools(o, facts, { hasMany: true }).map((pool) => withAskedGateway(pool, o))
  const network = {
    ...basicsOf(o, facts, pools),
    id: randomBytes(32).toString('hex'),
    driver,
    bridge: undefined,
    options: { ...facts.defaults.options[driver], ...o.options },
  }
  checkNoInterfaceName(network.options)
  checkLan(network, facts.networks)
  return network
}

/** What does not depend on the driver. */
function basicsOf(
  o: CreateNetworkOptions,
  { createdAtNs }: CreateFacts,
  pools: PoolRow[],
): Omit<Network, 'id' | 'driver' | 'bridge' | 'options'> {
  return {
    name: o.name,
    createdAtNs,
    isForeign: false,
    isInternal: o.isInternal ?? false,
    isAttachable: o.isAttachable ?? false,
    hasIpv6: pools.some((pool) => pool.subnet.includes(':')),
    labels: o.labels ?? {},
    pools,
    ipamOptions: o.ipamOptions,
    configFrom: o.configFrom ?? '',
    configuration: undefined,
  }
}

/** Of a network of which the host has no address: there is a gateway if somebody has named one. */
function withAskedGateway(pool: PoolRow, { ipam = [] }: CreateNetworkOptions): PoolRow {
  const isAsked = ipam.some(({ gateway = '' }) => {
    const asked = parseAddress(gateway)
    return asked !== undefined && formatAddress(asked) === pool.gateway
  })
  return isAsked ? pool : { ...pool, gateway: NO_GATEWAY }
}

function planPools(
  o: CreateNetworkOptions,
  facts: CreateFacts,
  { hasMany = false } = {},
): PoolRow[] {
  const hasIpv4 = o.enableIpv4 ?? true
  if (!hasIpv4 && o.enableIpv6 !== true) {
    throw new EngineError('INVALID_ARGUMENT', 'IPv4 or IPv6 must be enabled')
  }
  const explicit = (o.ipam ?? []).filter(
    // As dockerd: subnets of IPv4 mean nothing without it.
    ({ subnet = '' }) => subnet !== '' && (hasIpv4 || subnet.includes(':')),
  )
  const loose = (o.ipam ?? []).find(
    ({ subnet = '', gateway, ipRange }) => subnet === '' && (gateway || ipRange),
  )
  if (loose !== undefined) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      'invalid IPAM config: a gateway or an ip-range needs a subnet',
    )
  }
  const taken = facts.networks.flatMap((network) => poolsOf(network).map((pool) => pool.subnet))
  const pools: PoolRow[] = []
  const has = (isV6: boolean): boolean => pools.some((pool) => pool.subnet.includes(':') === isV6)
  for (const entry of explicit) {
    const row = planPool(entry)
    const { subnet } = parsePool(row)
    if (taken.some((other) => overlaps(other, subnet))) {
      throw new EngineError(
        'FORBIDDEN',
        'invalid pool request: Pool overlaps with other one on this address space',
      )
    }
    if (has(subnet.family === 6) && !hasMany) {
      throw new EngineError('INVALID_ARGUMENT', "bridge driver doesn't support multiple subnets")
    }
    taken.push(subnet)
    pools.push(row)
  }
  const { addressPools } = facts.defaults
  const used = [...taken, ...facts.hostSubnets]
  if (hasIpv4 && !has(false)) pools.unshift(automatic(chooseSubnet(used, addressPools)))
  if (o.enableIpv6 && !has(true)) {
    pools.push(automatic(chooseIpv6Subnet(randomBytes(5), used, addressPools)))
  }
  return ipv4First(pools)
}

/** IFNAMSIZ is 16 with the final zero; dev_valid_name() refuses `/`, `:` and white space. Quotes would break nft's language. */
export function checkLinkName(name: string): void {
  if (/^[A-Za-z0-9_.-]{1,15}$/.test(name) && name !== '.' && name !== '..') return
  throw new EngineError(
    'INVALID_ARGUMENT',
    `invalid bridge name "${name}": up to 15 letters, digits, "_", "." and "-"`,
  )
}

const MAX_NAME_BYTES = 255

/** Docker takes every name that is not blank. libnetwork/config/config.go ValidateName */
function checkName(name: string): void {
  if (['bridge', 'host', 'none', 'default'].includes(name)) {
    throw new EngineError('FORBIDDEN', `operation is not permitted on predefined ${name} network`)
  }
  const isShort = Buffer.byteLength(name) <= MAX_NAME_BYTES
  // No path is made of it. `__proto__` cannot be a field of the documents that are keyed by network.
  if (isShort && /\S/.test(name) && !/\p{Cc}/u.test(name) && name !== '__proto__') return
  throw new EngineError(
    'INVALID_ARGUMENT',
    `invalid network name ${JSON.stringify(name)}: up to ${MAX_NAME_BYTES} bytes, not blank, no control characters`,
  )
}

function checkNoInterfaceName(options: Network['options']): void {
  const { hostName, interfaceName } = parseLinkOptions(options)
  if (hostName === undefined && interfaceName === undefined) return
  throw new EngineError(
    'INVALID_ARGUMENT',
    'the name of an interface is an option of one endpoint: --network name=NETWORK,driver-opt=…',
  )
}

function checkOptions(options: Readonly<Record<string, string>>, isInternal: boolean): void {
  checkNoInterfaceName(options)
  checkGatewayModes(options, isInternal)
  for (const key of [OPTION_ICC, OPTION_MASQUERADE]) {
    const value = options[key]
    if (value !== undefined && !/^(0|1|t|f|true|false)$/i.test(value)) {
      throw new EngineError('INVALID_ARGUMENT', `failed to parse ${key} value: ${value}`)
    }
  }
}
