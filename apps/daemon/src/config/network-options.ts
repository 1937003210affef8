import type { Option } from './option.ts'

/** Of the default bridge, of the networks that are made, and of both. */
export const NETWORK_OPTIONS: readonly Option[] = [
  {
    key: 'icc',
    flag: 'icc',
    kind: 'boolean',
    help: 'Containers on the default bridge may talk to each other (default true)',
  },
  {
    key: 'ip',
    flag: 'ip',
    kind: 'string',
    help: 'Host address of ports that are published without one (default 0.0.0.0)',
  },
  {
    key: 'ip-masq',
    flag: 'ip-masq',
    kind: 'boolean',
    help: 'Traffic of the default bridge to the outside takes the address of the host (default true)',
  },
  {
    key: 'ip-forward',
    flag: 'ip-forward',
    kind: 'boolean',
    help: 'Switch the sysctls of forwarding on (default true)',
  },
  {
    key: 'iptables',
    flag: 'iptables',
    kind: 'boolean',
    help: 'Have a table of nftables: translation, masquerading, isolation of networks (default true)',
  },
  {
    key: 'ipv6',
    flag: 'ipv6',
    kind: 'boolean',
    help: 'IPv6 on the default bridge',
  },
  {
    key: 'mtu',
    flag: 'mtu',
    kind: 'integer',
    help: 'MTU of the default bridge (default 1500)',
  },
  {
    key: 'bip6',
    flag: 'bip6',
    kind: 'string',
    help: 'IPv6 address of the default bridge, e.g. fd00:1::1/64',
  },
  {
    key: 'fixed-cidr',
    flag: 'fixed-cidr',
    kind: 'string',
    help: 'IPv4 subnet for addresses of containers on the default bridge',
  },
  {
    key: 'fixed-cidr-v6',
    flag: 'fixed-cidr-v6',
    kind: 'string',
    help: 'IPv6 subnet of the default bridge (default a random one of fd00::/8)',
  },
  {
    key: 'default-gateway',
    flag: 'default-gateway',
    kind: 'string',
    help: 'IPv4 gateway of containers on the default bridge, instead of its own address',
  },
  {
    key: 'default-gateway-v6',
    flag: 'default-gateway-v6',
    kind: 'string',
    help: 'IPv6 gateway of containers on the default bridge',
  },
  {
    key: 'default-address-pools',
    flag: 'default-address-pool',
    kind: 'pools',
    help: 'Subnets of networks that name none, e.g. base=10.10.0.0/16,size=24 (repeatable)',
  },
  {
    key: 'default-network-opts',
    flag: 'default-network-opt',
    kind: 'nested',
    help: 'Driver option of new networks, e.g. bridge=com.docker.network.driver.mtu=1400 (repeatable)',
  },
]
