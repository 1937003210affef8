export { mappedAddress, parseSubnet, type Subnet } from './address.ts'
export type { WantedBridge } from './bridge/default.ts'
export type { ConnectOptions } from './endpoint/allocate.ts'
export type { StartingEndpoint } from './endpoint/connect.ts'
export type { Endpoint, EndpointAddress } from './endpoint/endpoint.ts'
export { loopbackOps } from './endpoint/ops.ts'
export type { EndpointPlan, ForwardChanges, RefusedPort, Target } from './endpoint/plan.ts'
export { forwardError, type PortBinding, type PublishedPort } from './endpoint/ports.ts'
export type { Publication } from './firewall/render.ts'
export {
  type HostsFileOptions,
  hostsFile,
  moveHostsEntries,
  moveLinkEntries,
} from './hosts-file.ts'
export { lanLinkError } from './lan/link-error.ts'
export type { CreateNetworkOptions } from './network/create-options.ts'
export { type AddressPool, NETWORK_DEFAULTS, type NetworkDefaults } from './network/defaults.ts'
export type { Network } from './network/network.ts'
export { type Networks, openNetworks } from './networks.ts'
export type { NetworksOptions } from './options.ts'
export {
  pointsToSystemdStub,
  type ResolvConfOptions,
  resolvConf,
  SYSTEMD_RESOLVED_FILE,
} from './resolv-conf.ts'
