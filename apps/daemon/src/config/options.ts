/** How an option is written as a flag and in the file. */
type OptionKind =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'list'
  | 'map'
  /** `base=10.0.0.0/8,size=24`, repeated; `[{"base":…,"size":…}]`. */
  | 'pools'
  /** `driver=option=value`, repeated; `{"driver":{"option":"value"}}`. */
  | 'nested'
  | 'any'

export interface Option {
  /** Key in the configuration file (daemon.json's name). */
  readonly key: string
  readonly kind: OptionKind
  /** Flag without dashes; absent: only in the file. */
  readonly flag?: string
  readonly short?: string
  /** For `--help`; absent: accepted for compatibility and without effect here (a warning says so). */
  readonly help?: string
  /** SIGHUP is enough to change it; also for what has no effect. */
  readonly isReloadable?: true
}

/** All of dockerd 28's keys, so that a daemon.json is accepted unchanged. Those with a help text do something. */
export const OPTIONS: readonly Option[] = [
  {
    key: 'hosts',
    flag: 'host',
    short: 'H',
    kind: 'list',
    help: 'Address to listen on: unix:///path, tcp://host:port or fd:// (repeatable)',
  },
  {
    key: 'group',
    flag: 'group',
    short: 'G',
    kind: 'string',
    help: 'Group that owns the unix socket',
  },
  {
    key: 'tls',
    flag: 'tls',
    kind: 'boolean',
    help: 'Use TLS on TCP (off loopback --tlsverify is needed)',
  },
  {
    key: 'tlsverify',
    flag: 'tlsverify',
    kind: 'boolean',
    help: 'Use TLS on TCP and ask clients for a certificate of the CA',
  },
  {
    key: 'tlscacert',
    flag: 'tlscacert',
    kind: 'string',
    help: 'Certificates of the CA of clients (default ~/.docker/ca.pem)',
  },
  {
    key: 'tlscert',
    flag: 'tlscert',
    kind: 'string',
    help: 'Certificate of the server (default ~/.docker/cert.pem)',
  },
  {
    key: 'tlskey',
    flag: 'tlskey',
    kind: 'string',
    help: 'Key of the server (default ~/.docker/key.pem)',
  },
  { key: 'data-root', flag: 'data-root', kind: 'string', help: 'Directory of persistent state' },
  {
    key: 'exec-root',
    flag: 'exec-root',
    kind: 'string',
    help: 'Directory of state that ends at reboot',
  },
  { key: 'pidfile', flag: 'pidfile', short: 'p', kind: 'string', help: 'Path of the PID file' },
  {
    key: 'debug',
    flag: 'debug',
    short: 'D',
    kind: 'boolean',
    help: 'The same as --log-level debug',
    isReloadable: true,
  },
  {
    key: 'log-level',
    flag: 'log-level',
    short: 'l',
    kind: 'string',
    help: 'debug, info, warn, error or fatal',
    isReloadable: true,
  },
  {
    key: 'bridge',
    flag: 'bridge',
    short: 'b',
    kind: 'string',
    help: "Name of the default bridge, or 'none'",
  },
  {
    key: 'bip',
    flag: 'bip',
    kind: 'string',
    help: 'Address of the default bridge, e.g. 172.30.0.1/16',
  },
  {
    key: 'cgroup-parent',
    flag: 'cgroup-parent',
    kind: 'string',
    help: 'Parent cgroup of all containers',
  },
  {
    key: 'dns',
    flag: 'dns',
    kind: 'list',
    help: 'DNS server of containers (repeatable)',
    isReloadable: true,
  },
  {
    key: 'dns-search',
    flag: 'dns-search',
    kind: 'list',
    help: 'DNS search domain of containers (repeatable)',
    isReloadable: true,
  },
  {
    key: 'dns-opts',
    flag: 'dns-opt',
    kind: 'list',
    help: 'DNS option of containers (repeatable)',
    isReloadable: true,
  },
  {
    key: 'labels',
    flag: 'label',
    kind: 'list',
    help: 'key=value label of the engine (repeatable)',
    isReloadable: true,
  },
  {
    key: 'log-opts',
    flag: 'log-opt',
    kind: 'map',
    help: 'Option of the default log driver, e.g. max-size=10m (repeatable)',
    isReloadable: true,
  },
  {
    key: 'log-driver',
    flag: 'log-driver',
    kind: 'string',
    help: 'Driver of the logs of containers that name none: json-file (default), local, journald, syslog, none',
    isReloadable: true,
  },
  {
    key: 'default-ulimits',
    flag: 'default-ulimit',
    kind: 'map',
    help: 'Default ulimit, e.g. nofile=1024:2048 (repeatable)',
    isReloadable: true,
  },
  {
    key: 'default-shm-size',
    flag: 'default-shm-size',
    kind: 'string',
    help: 'Default size of /dev/shm, e.g. 64M',
    isReloadable: true,
  },
  {
    key: 'init',
    flag: 'init',
    kind: 'boolean',
    help: 'Run an init in every container',
    isReloadable: true,
  },
  {
    key: 'no-new-privileges',
    flag: 'no-new-privileges',
    kind: 'boolean',
    help: 'Set no-new-privileges for every container',
    isReloadable: true,
  },
  {
    key: 'no-pivot',
    flag: 'no-pivot',
    kind: 'boolean',
    help: 'Move the root of containers where pivot_root fails, as on a ramfs (found out by itself, or DOCKER_RAMDISK)',
  },
  {
    key: 'cdi-spec-dirs',
    flag: 'cdi-spec-dir',
    kind: 'list',
    help: 'Directory of CDI specs (default /etc/cdi and /var/run/cdi, repeatable)',
  },
  {
    key: 'criu-path',
    flag: 'criu-path',
    kind: 'string',
    help: 'criu for checkpoints: a path, or a name in PATH (default criu)',
  },
  {
    key: 'userns-remap',
    flag: 'userns-remap',
    kind: 'string',
    help: 'User namespaces for all containers: default, user[:group] or uid[:gid] of /etc/subuid',
  },
  {
    key: 'seccomp-profile',
    flag: 'seccomp-profile',
    kind: 'string',
    help: "Path of a seccomp profile, or 'unconfined'",
  },
  {
    key: 'registry-mirrors',
    flag: 'registry-mirror',
    kind: 'list',
    help: 'URL of a mirror of Docker Hub (repeatable)',
    isReloadable: true,
  },
  {
    key: 'insecure-registries',
    flag: 'insecure-registry',
    kind: 'list',
    help: 'Registry host[:port] or network without TLS checks (repeatable)',
    isReloadable: true,
  },
  {
    key: 'max-concurrent-downloads',
    flag: 'max-concurrent-downloads',
    kind: 'integer',
    help: 'Layers fetched at a time by a pull (default 3)',
    isReloadable: true,
  },
  {
    key: 'max-download-attempts',
    flag: 'max-download-attempts',
    kind: 'integer',
    help: 'Attempts for a layer before a pull fails (default 5)',
    isReloadable: true,
  },
  {
    key: 'metrics-addr',
    flag: 'metrics-addr',
    kind: 'string',
    help: 'host:port to serve Prometheus metrics on',
  },
  {
    key: 'proxies',
    kind: 'map',
    help: 'http-proxy, https-proxy and no-proxy for pulls and pushes',
  },
  {
    key: 'exec-opts',
    flag: 'exec-opt',
    kind: 'list',
    help: 'native.cgroupdriver=cgroupfs or systemd: who makes the cgroups of containers',
  },
  {
    key: 'selinux-enabled',
    flag: 'selinux-enabled',
    kind: 'boolean',
    help: 'Give containers SELinux labels, where the host has SELinux',
  },
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
  {
    key: 'default-cgroupns-mode',
    flag: 'default-cgroupns-mode',
    kind: 'string',
    help: 'Cgroup namespace of containers that name none: private or host',
    isReloadable: true,
  },
  {
    key: 'default-ipc-mode',
    flag: 'default-ipc-mode',
    kind: 'string',
    help: 'IPC mode of containers that name none: private (default) or shareable',
    isReloadable: true,
  },
  {
    key: 'host-gateway-ips',
    flag: 'host-gateway-ip',
    kind: 'list',
    help: 'What host-gateway stands for in --add-host (default: the default bridge, repeatable)',
  },
  { key: 'host-gateway-ip', kind: 'string', help: 'The same with one address' },
  {
    key: 'storage-opts',
    flag: 'storage-opt',
    kind: 'list',
    help: 'overlay2.size=BYTES: most that a container writes into its root filesystem (repeatable)',
  },
  { key: 'graph', kind: 'string', help: 'The same as data-root' },
  // What follows is Docker's, and has no effect (yet): some of it is always so here (live-restore), some has no meaning (containerd).
  { key: 'live-restore', flag: 'live-restore', kind: 'boolean', isReloadable: true },
  { key: 'storage-driver', flag: 'storage-driver', short: 's', kind: 'string' },
  { key: 'log-format', flag: 'log-format', kind: 'string' },
  { key: 'raw-logs', flag: 'raw-logs', kind: 'boolean' },
  { key: 'shutdown-timeout', flag: 'shutdown-timeout', kind: 'integer', isReloadable: true },
  { key: 'experimental', flag: 'experimental', kind: 'boolean' },
  { key: 'features', flag: 'feature', kind: 'map', isReloadable: true },
  { key: 'ip6tables', flag: 'ip6tables', kind: 'boolean' },
  { key: 'ip-forward-no-drop', flag: 'ip-forward-no-drop', kind: 'boolean' },
  { key: 'firewall-backend', flag: 'firewall-backend', kind: 'string' },
  { key: 'userland-proxy', flag: 'userland-proxy', kind: 'boolean' },
  { key: 'userland-proxy-path', flag: 'userland-proxy-path', kind: 'string' },
  { key: 'allow-direct-routing', flag: 'allow-direct-routing', kind: 'boolean' },
  { key: 'init-path', flag: 'init-path', kind: 'string' },
  { key: 'default-runtime', flag: 'default-runtime', kind: 'string', isReloadable: true },
  { key: 'runtimes', kind: 'any', isReloadable: true },
  { key: 'add-runtime', flag: 'add-runtime', kind: 'list' },
  { key: 'cpu-rt-period', flag: 'cpu-rt-period', kind: 'integer' },
  { key: 'cpu-rt-runtime', flag: 'cpu-rt-runtime', kind: 'integer' },
  { key: 'oom-score-adjust', flag: 'oom-score-adjust', kind: 'integer' },
  { key: 'containerd', flag: 'containerd', kind: 'string' },
  { key: 'containerd-namespace', flag: 'containerd-namespace', kind: 'string' },
  { key: 'containerd-plugin-namespace', flag: 'containerd-plugins-namespace', kind: 'string' },
  { key: 'cri-containerd', flag: 'cri-containerd', kind: 'boolean' },
  {
    key: 'allow-nondistributable-artifacts',
    flag: 'allow-nondistributable-artifacts',
    kind: 'list',
    isReloadable: true,
  },
  {
    key: 'max-concurrent-uploads',
    flag: 'max-concurrent-uploads',
    kind: 'integer',
    isReloadable: true,
  },
  { key: 'authorization-plugins', flag: 'authorization-plugin', kind: 'list', isReloadable: true },
  { key: 'network-control-plane-mtu', flag: 'network-control-plane-mtu', kind: 'integer' },
  { key: 'node-generic-resources', flag: 'node-generic-resource', kind: 'list' },
  { key: 'swarm-default-advertise-addr', flag: 'swarm-default-advertise-addr', kind: 'string' },
  {
    key: 'validate',
    flag: 'validate',
    kind: 'boolean',
    help: 'Check flags and configuration file, and exit',
  },
  {
    key: 'http-proxy',
    flag: 'http-proxy',
    kind: 'string',
    help: 'Proxy of HTTP for pulls and pushes',
  },
  {
    key: 'https-proxy',
    flag: 'https-proxy',
    kind: 'string',
    help: 'Proxy of HTTPS for pulls and pushes',
  },
  {
    key: 'no-proxy',
    flag: 'no-proxy',
    kind: 'string',
    help: 'Hosts without a proxy for pulls and pushes',
  },
  { key: 'builder', kind: 'any' },
  // dockerd 20.10 has them, 28 not.
  { key: 'api-cors-header', flag: 'api-cors-header', kind: 'string' },
  { key: 'cluster-advertise', flag: 'cluster-advertise', kind: 'string' },
  { key: 'cluster-store', flag: 'cluster-store', kind: 'string' },
  { key: 'cluster-store-opts', flag: 'cluster-store-opt', kind: 'map' },
  { key: 'deprecated-key-path', kind: 'string' },
  {
    key: 'network-diagnostic-port',
    flag: 'network-diagnostic-port',
    kind: 'integer',
    isReloadable: true,
  },
  { key: 'resolv-conf', kind: 'string' },
  { key: 'rootless', flag: 'rootless', kind: 'boolean' },
  { key: 'swarm-raft-election-tick', kind: 'integer' },
  { key: 'swarm-raft-heartbeat-tick', kind: 'integer' },
  { key: 'debug-addr', kind: 'string' },
]

export type OptionValue =
  | string
  | number
  | boolean
  | readonly string[]
  | readonly Readonly<Record<string, unknown>>[]
  | Readonly<Record<string, unknown>>

/** Values by key, of one source. */
export type OptionValues = ReadonlyMap<string, OptionValue>
