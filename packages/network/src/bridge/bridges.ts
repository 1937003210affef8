import { interfaceIndex } from '@ctr/linux'
import type { EndpointTable } from '@ctr/store'
import { switchOn } from '../firewall/host.ts'
import {
  type BridgedNetwork,
  bridgeAddresses,
  isBridged,
  mtuOf,
  type Network,
  poolsOf,
  rulesOf,
} from '../network/network.ts'
import type { NetworkRegistry } from '../network/registry.ts'
import type { NetworksOptions } from '../options.ts'
import { decideDefaultBridge, ownerAlias } from './default.ts'
import { deleteLinks, ensureBridge } from './link.ts'

/** The bridges of the networks that have one: found again, made, and the default one chosen. */
export class Bridges {
  readonly #options: NetworksOptions
  readonly #registry: NetworkRegistry

  constructor(options: NetworksOptions, registry: NetworkRegistry) {
    this.#options = options
    this.#registry = registry
  }

  all(): BridgedNetwork[] {
    return this.#registry.list().filter(isBridged)
  }

  /** Of the bridge's link, which is made if it is not there; undefined: the network has none. */
  async indexOf(network: Network): Promise<number | undefined> {
    if (!isBridged(network)) return undefined
    // Somebody may have deleted the bridge while we were running.
    return interfaceIndex(network.bridge) ?? (await this.ensure(network))
  }

  /** Gives the index of the bridge's link. */
  async ensure(network: BridgedNetwork): Promise<number> {
    const { setsForwarding } = this.#options.defaults
    if (network.hasIpv6 && setsForwarding) switchOn('/proc/sys/net/ipv6/conf/all/forwarding')
    // Else packets between the ports of a bridge never see the firewall.
    if (!rulesOf(network).allowsInterContainer) {
      switchOn('/proc/sys/net/bridge/bridge-nf-call-iptables')
      switchOn('/proc/sys/net/bridge/bridge-nf-call-ip6tables')
    }
    return await ensureBridge(this.#options.exec, {
      name: network.bridge,
      addresses: bridgeAddresses(network),
      mtu: mtuOf(network),
      owner: network.isForeign ? undefined : ownerAlias(this.#options.instance),
    })
  }

  /** Once, before the other bridges. */
  async restoreDefault(endpoints: EndpointTable): Promise<void> {
    const { bridge, exec, instance, log } = this.#options
    if (bridge.kind === 'none') return
    const stored = this.#registry.get('bridge')
    const links = endpoints.ofNetwork(stored.id).map((row) => row.link)
    const others = this.#registry.list().filter((network) => network !== stored)
    const decided = decideDefaultBridge({
      wanted: bridge,
      stored,
      isUsed: links.some((link) => link !== undefined && interfaceIndex(link) !== undefined),
      owner: ownerAlias(instance),
      otherSubnets: others.flatMap((network) => poolsOf(network).map((pool) => pool.subnet)),
      addressPools: this.#options.defaults.addressPools,
    })
    for (const warning of decided.warnings) log.warn({ bridge: decided.name }, warning)
    if (decided.obsoleteLink !== undefined) await deleteLinks(exec, [decided.obsoleteLink])
    if (decided.isChanged) this.#registry.setDefaultBridge(decided)
  }
}
