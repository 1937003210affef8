import { EngineError } from '@ctr/errdefs'
import { interfaceIndex } from '@ctr/linux'
import { ShimError } from '@ctr/shim'
import { ownerAlias } from '../bridge/default.ts'
import { deleteLinks, isLinkDown, linkAlias } from '../bridge/link.ts'
import { EEXIST, netlink } from '../endpoint/ops.ts'
import type { NetworkRegistry } from '../network/registry.ts'
import type { NetworksOptions } from '../options.ts'
import { type NetlinkMessage, setLinkAlias, setLinkUp } from '../rtnetlink.ts'
import { newLonelyLink, newVlan } from './link-messages.ts'
import { hasOwnParent, isLan, type LanNetwork, parentOf } from './options.ts'

/**
 * The parents of macvlan and ipvlan networks. A link that is there is somebody's: it is used as it is. `eth0.10` of an `eth0` that is
 * there is made, and so is the one of a network that names none. Those have our alias, and go with the last network that uses them.
 */
export class Parents {
  readonly #options: NetworksOptions
  readonly #registry: NetworkRegistry

  constructor(options: NetworksOptions, registry: NetworkRegistry) {
    this.#options = options
    this.#registry = registry
  }

  /** Gives the index of the parent, which is made if it is not there and ours to make. Again: what a crash has left half done is completed. */
  async ensure(network: LanNetwork): Promise<number> {
    const name = parentOf(network)
    if (interfaceIndex(name) === undefined) await this.#make(network, name)
    const index = interfaceIndex(name)
    if (index === undefined) throw new EngineError('INTERNAL', `link ${name} has vanished`)
    if (this.#isOurs(network) && isLinkDown(name))
      await this.#options.exec([this.#own(index), up(index)])
    return index
  }

  /** For a container: its link cannot be up while the parent is down. Gives the index of the parent. */
  async forUse(network: LanNetwork): Promise<number> {
    const index = await this.ensure(network)
    const name = parentOf(network)
    if (!isLinkDown(name)) return index
    throw new EngineError('UNAVAILABLE', `parent interface ${name} of ${network.name} is down`)
  }

  /** At the start of the daemon. A parent that cannot be made now may come later: the network's containers tell. */
  async restore(): Promise<void> {
    for (const network of this.#registry.list().filter(isLan)) {
      if (network.configuration !== undefined) continue
      await this.ensure(network).catch((err: unknown) => {
        this.#options.log.warn({ network: network.name, err }, 'the parent of a network')
      })
    }
  }

  /** When the network is in the registry no more. */
  async release(network: LanNetwork): Promise<void> {
    const name = parentOf(network)
    const isUsed = this.#registry.list().some((other) => isLan(other) && parentOf(other) === name)
    if (!isUsed) await this.#delete([network])
  }

  /** At the end of the daemon, without containers. */
  async releaseAll(): Promise<void> {
    await this.#delete(this.#registry.list().filter(isLan))
  }

  async #delete(networks: readonly LanNetwork[]): Promise<void> {
    const ours = networks.filter((network) => this.#isOurs(network)).map(parentOf)
    await deleteLinks(this.#options.exec, [...new Set(ours)])
  }

  /** One that is named after the network's id is nobody else's. */
  #isOurs(network: LanNetwork): boolean {
    if (hasOwnParent(network)) return true
    return linkAlias(parentOf(network)) === ownerAlias(this.#options.instance)
  }

  async #make(network: LanNetwork, name: string): Promise<void> {
    if (hasOwnParent(network)) {
      await this.#create(name, newLonelyLink(name, 'dummy')).catch(async (error: unknown) => {
        if (!isUnknownKind(error)) throw error
        await this.#create(name, newLonelyLink(name, 'ifb'))
      })
      return
    }
    const { parent, id } = parseVlanName(name)
    const index = interfaceIndex(parent)
    if (index === undefined) {
      const message = `-o parent interface was not found on the host: ${parent}`
      throw new EngineError('INVALID_ARGUMENT', message)
    }
    await this.#create(name, newVlan(name, { parent: index, id })).catch((cause: unknown) => {
      if (!isUnknownKind(cause)) throw cause
      const message = `failed to create ${name} vlan link: operation not supported`
      throw new EngineError('UNAVAILABLE', message, { cause })
    })
  }

  /** The alias before the link is up: a link that is down and has none is half made. */
  async #create(name: string, message: NetlinkMessage): Promise<void> {
    await this.#options.exec([netlink('host', message, EEXIST)])
    const index = interfaceIndex(name)
    if (index !== undefined) await this.#options.exec([this.#own(index), up(index)])
  }

  #own(index: number): ReturnType<typeof netlink> {
    return netlink('host', setLinkAlias({ index }, ownerAlias(this.#options.instance)))
  }
}

/** The kernel has no such links. */
function isUnknownKind(error: unknown): boolean {
  return error instanceof ShimError && error.errno === EOPNOTSUPP
}

const EOPNOTSUPP = 95

function up(index: number): ReturnType<typeof netlink> {
  return netlink('host', setLinkUp({ index }))
}

/** `eth0.10`: the link with the tag 10 on eth0. libnetwork drivers/macvlan/macvlan_setup.go */
export function parseVlanName(name: string): { parent: string; id: number } {
  const dot = name.lastIndexOf('.')
  if (dot < 1) {
    const message = `invalid subinterface vlan name ${name}, example formatting is eth0.10`
    throw new EngineError('INVALID_ARGUMENT', message)
  }
  const [parent, text] = [name.slice(0, dot), name.slice(dot + 1)]
  if (!/^\d{1,9}$/.test(text)) {
    const message = `unable to parse a valid vlan id from: ${text} (ex. eth0.10 for vlan 10)`
    throw new EngineError('INVALID_ARGUMENT', message)
  }
  const id = Number(text)
  if (id >= 1 && id <= 4094) return { parent, id }
  throw new EngineError('INVALID_ARGUMENT', `vlan id must be between 1-4094, received: ${id}`)
}
