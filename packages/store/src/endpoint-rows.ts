export interface EndpointRow {
  readonly id: string
  readonly networkId: string
  readonly containerId: string
  readonly containerName: string
  /** n of the container's `eth<n>`. */
  readonly interface: number
  readonly link: string | undefined
  readonly macAddress: string
  readonly aliases: readonly string[]
  readonly isGateway: boolean
  /** Of two networks that lead out, the one with more is the gateway. */
  readonly gatewayPriority: number
  /** A running container is being connected to this network or taken off it; after a crash it is taken off. */
  readonly isChanging: boolean
  /** Value of the address, by family. */
  readonly ipv4: bigint | undefined
  readonly ipv6: bigint | undefined
  readonly ports: readonly PublishedPortRow[]
}

/** What the resolver must know of an endpoint, beyond its row. */
export interface EndpointNames {
  /** Lower case; without the container's name and short id, which are in its row. */
  readonly names: readonly string[]
  /** Resolvers of the container's own choice; empty: the host's. */
  readonly nameservers: readonly string[]
  /** Alias in lower case → name or short id of a container on the same network; for this container only. */
  readonly links: Readonly<Record<string, string>>
}

export interface PublishedPortRow {
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** 0: none; the container's own address is reached. */
  readonly hostPort: number
  readonly hostIp: string
  readonly containerPort: number
}
