import type { IPAMPool, Network, NetworkContainer } from '@ctr/api'
import type { Endpoint, Network as EngineNetwork } from '@ctr/network'
import { rfc3339 } from '../../time.ts'

export function renderNetwork(
  network: EngineNetwork,
  endpoints: readonly Endpoint[],
  apiMinor: number,
): Network {
  return {
    Name: network.name,
    Id: network.id,
    Created: rfc3339(network.createdAtNs),
    Scope: 'local',
    Driver: network.driver,
    ...(apiMinor >= 48 ? { EnableIPv4: hasIpv4(network) } : {}),
    EnableIPv6: network.hasIpv6,
    IPAM: {
      Driver: 'default',
      Options: network.ipamOptions === undefined ? null : { ...network.ipamOptions },
      Config: (network.configuration ?? network.pools).map(renderPool),
    },
    Internal: network.isInternal,
    Attachable: network.isAttachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom },
    ConfigOnly: network.configuration !== undefined,
    Containers: Object.fromEntries(
      endpoints.map((endpoint) => [endpoint.containerId, renderContainer(endpoint)]),
    ),
    Options: { ...network.options },
    Labels: { ...network.labels },
  }
}

/** Those without addresses of their own do not lack it, as in dockerd. */
function hasIpv4({ pools }: EngineNetwork): boolean {
  return pools.length === 0 || pools.some(({ subnet }) => !subnet.includes(':'))
}

/** Of a configuration only what was asked for. */
function renderPool({ subnet, ipRange, gateway, auxAddresses = {} }: Pool): IPAMPool {
  return {
    ...(subnet === undefined ? {} : { Subnet: subnet }),
    ...(ipRange === undefined ? {} : { IPRange: ipRange }),
    ...(gateway === undefined || gateway === '' ? {} : { Gateway: gateway }),
    ...(Object.keys(auxAddresses).length > 0 ? { AuxiliaryAddresses: { ...auxAddresses } } : {}),
  }
}

type Pool = EngineNetwork['pools'][number] | NonNullable<EngineNetwork['configuration']>[number]

function renderContainer(endpoint: Endpoint): NetworkContainer {
  const { ipv4, ipv6 } = endpoint
  return {
    Name: endpoint.containerName,
    EndpointID: endpoint.id,
    MacAddress: endpoint.macAddress,
    IPv4Address: ipv4 === undefined ? '' : `${ipv4.address}/${ipv4.prefix}`,
    IPv6Address: ipv6 === undefined ? '' : `${ipv6.address}/${ipv6.prefix}`,
  }
}
