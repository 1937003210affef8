export type { CreateNetworkOptions, IpamOptions } from './create.ts'
export type { Publication } from './firewall.ts'
export { type HostsFileOptions, hostsFile } from './hosts-file.ts'
export type { Network } from './network.ts'
export {
  type ConnectOptions,
  type Endpoint,
  type EndpointAddress,
  type EndpointPlan,
  type Networks,
  type NetworksOptions,
  openNetworks,
  type Target,
} from './networks.ts'
export { type PortBinding, type PublishedPort, portConflictError } from './ports.ts'
export {
  pointsToSystemdStub,
  type ResolvConfOptions,
  resolvConf,
  SYSTEMD_RESOLVED_FILE,
} from './resolv-conf.ts'
