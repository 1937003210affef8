import { randomBytes } from 'node:crypto'
import { EngineError } from '@ctr/errdefs'
import type { CreateNetworkOptions } from './create-options.ts'
import type { Network } from './network.ts'
import { planPool } from './pool.ts'

/**
 * A network with `--config-only` is no network: it keeps what `--config-from` makes others of. Texts and rules are those of
 * libnetwork, network.go validateConfiguration.
 */
export function planConfiguration(o: CreateNetworkOptions, createdAtNs: bigint): Network {
  if (o.isInternal === true || o.isAttachable === true || (o.scope ?? '') !== '') {
    throw new EngineError(
      'FORBIDDEN',
      'configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.',
    )
  }
  if ((o.configFrom ?? '') !== '') {
    throw new EngineError(
      'FORBIDDEN',
      'a configuration network cannot depend on another configuration network',
    )
  }
  for (const pool of o.ipam ?? []) planPool(pool)
  return {
    id: randomBytes(32).toString('hex'),
    name: o.name,
    driver: 'null',
    createdAtNs,
    bridge: undefined,
    isForeign: false,
    isInternal: false,
    isAttachable: false,
    hasIpv6: o.enableIpv6 ?? false,
    options: o.options ?? {},
    labels: o.labels ?? {},
    pools: [],
    ipamOptions: o.ipamOptions,
    configFrom: '',
    configuration: o.ipam ?? [],
  }
}

/** `o` with what its configuration says, if it has one. */
export function withConfiguration(
  o: CreateNetworkOptions,
  networks: readonly Network[],
): CreateNetworkOptions {
  const name = o.configFrom ?? ''
  if (name === '') return o
  assertNothingElse(o)
  const found = networks.find((one) => one.name === name || one.id === name)
  if (found?.configuration === undefined) {
    throw new EngineError(
      'NOT_FOUND',
      `configuration network ${JSON.stringify(name)} does not exist`,
    )
  }
  const { configuration: ipam, ipamOptions, labels, options, hasIpv6 } = found
  return { ...o, configFrom: found.name, ipam, ipamOptions, labels, options, enableIpv6: hasIpv6 }
}

function assertNothingElse(o: CreateNetworkOptions): void {
  const count = (field: object | undefined): number => Object.keys(field ?? {}).length
  const isConfigured = count(o.ipam) + count(o.ipamOptions) + count(o.labels) > 0
  if (isConfigured || o.enableIpv6 === true) {
    throw new EngineError(
      'FORBIDDEN',
      'user specified configurations are not supported if the network depends on a configuration network',
    )
  }
  if (count(o.options) > 0) {
    throw new EngineError(
      'FORBIDDEN',
      'network driver options are not supported if the network depends on a configuration network',
    )
  }
}
