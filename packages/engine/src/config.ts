import { NETWORK_DEFAULTS, type NetworkDefaults, type WantedBridge } from '@ctr/network'

/** What ctrd's flags and configuration file decide for the engine. Paths are absolute. */
export interface EngineConfig {
  readonly dataRoot: string
  readonly execRoot: string
  /** Parent of all containers' cgroups in every hierarchy, e.g. `/ctr`. */
  readonly cgroupParent: string
  /** systemd: each container is a transient scope of its, and `cgroupParent` a slice. */
  readonly cgroupDriver: 'cgroupfs' | 'systemd'
  readonly bridge: { readonly kind: 'none' } | ({ readonly kind: 'bridge' } & WantedBridge)
  readonly networks: NetworkDefaults
  /** What `host-gateway` of `--add-host` stands for; empty: the default bridge. */
  readonly hostGateways: readonly string[]
  /** Of containers that name none; undefined: private. */
  readonly defaultIpcMode: 'private' | 'shareable' | undefined
  /** Of containers that name none; undefined: private on cgroup v2, else the host's. */
  readonly defaultCgroupnsMode: 'private' | 'host' | undefined
  /** Of containers that name no driver; the options also of those that name this one. */
  readonly defaultLog: {
    readonly driver: string
    readonly options: Readonly<Record<string, string>>
  }
  readonly defaultUlimits: readonly {
    readonly Name: string
    readonly Soft: number
    readonly Hard: number
  }[]
  readonly defaultShmSizeBytes: number
  /** Most bytes in the writable layer of containers that name no size; undefined: no limit. */
  readonly defaultStorageBytes: number | undefined
  readonly defaultStopTimeoutSeconds: number
  readonly dns: readonly string[]
  readonly dnsSearch: readonly string[]
  readonly dnsOptions: readonly string[]
  /** Labels of the engine itself (`ctr info`). */
  readonly labels: readonly string[]
  readonly initByDefault: boolean
  /** The program of `--init`; empty: ctr-init. */
  readonly initPath: string
  readonly noNewPrivileges: boolean
  /** Containers get SELinux labels, where the host has SELinux. */
  readonly seLinuxEnabled: boolean
  /** Events: rows and age kept. */
  readonly eventRows: number
  readonly eventDays: number
  /** insecure-registries, registry-mirrors, max-concurrent-downloads and -uploads, max-download-attempts. */
  readonly registries: {
    readonly insecure: readonly string[]
    readonly mirrors: readonly string[]
    readonly maxDownloads: number
    readonly maxUploads: number
    readonly maxAttempts: number
  }
  /** A file with a seccomp profile instead of the built-in one; or `unconfined`. */
  readonly seccompProfile: string
  /** User namespaces for all containers: `default`, `user[:group]`, `uid[:gid]`; empty: none. */
  readonly usernsRemap: string
  /** Move containers' roots instead of pivot_root(2), also where the host's own root would allow it. */
  readonly noPivot: boolean
  /** Directories of CDI specs; later ones win. */
  readonly cdiSpecDirs: readonly string[]
  /** criu for checkpoints: a path, or a name to look up in PATH. */
  readonly criuPath: string
}

const MiB = 1024 * 1024

export const DEFAULT_ENGINE_CONFIG: EngineConfig = {
  dataRoot: '/var/lib/ctr',
  execRoot: '/run/ctr',
  cgroupParent: '/ctr',
  cgroupDriver: 'cgroupfs',
  bridge: { kind: 'bridge', name: 'ctr0' },
  networks: NETWORK_DEFAULTS,
  hostGateways: [],
  defaultIpcMode: undefined,
  defaultCgroupnsMode: undefined,
  defaultLog: { driver: 'json-file', options: {} },
  defaultUlimits: [],
  defaultShmSizeBytes: 64 * MiB,
  defaultStorageBytes: undefined,
  defaultStopTimeoutSeconds: 10,
  dns: [],
  dnsSearch: [],
  dnsOptions: [],
  labels: [],
  initByDefault: false,
  initPath: '',
  noNewPrivileges: false,
  seLinuxEnabled: false,
  eventRows: 100_000,
  eventDays: 30,
  registries: { insecure: [], mirrors: [], maxDownloads: 3, maxUploads: 5, maxAttempts: 5 },
  seccompProfile: '',
  usernsRemap: '',
  noPivot: false,
  cdiSpecDirs: ['/etc/cdi', '/var/run/cdi'],
  criuPath: 'criu',
}
