import type { EndpointTable } from '@ctr/store'
import type { Bridges } from '../bridge/bridges.ts'
import type { Resolver } from '../dns/resolver.ts'
import type { Firewall } from '../firewall/firewall.ts'
import type { Parents } from '../lan/parents.ts'
import type { LowestFree } from '../network/ipam.ts'
import type { NetworkRegistry } from '../network/registry.ts'
import type { NetworksOptions } from '../options.ts'
import type { PortFacts } from './ports.ts'

/** What the changes of endpoints work on; made and owned by `Networks`. */
export interface EndpointParts {
  readonly options: NetworksOptions
  readonly registry: NetworkRegistry
  readonly bridges: Bridges
  readonly parents: Parents
  readonly endpoints: EndpointTable
  readonly ports: PortFacts
  readonly lowestFree: LowestFree
  /** Undefined: the daemon keeps its hands off the host's rules. */
  readonly firewall: Firewall | undefined
  readonly resolver: Resolver
}
