import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { cpus, hostname } from 'node:os'
import { SystemInfo } from '@ctr/api'
import { type Engine, engineInfo, systemClock } from '@ctr/engine'
import { findHierarchy } from '@ctr/linux'
import type { Context } from '../../context.ts'
import { route } from '../../http/route.ts'
import { rfc3339 } from '../../time.ts'
import { VERSION } from '../../version.ts'
import { kernelVersion, operatingSystem } from './host.ts'

export const infoRoute = route({
  method: 'GET',
  path: '/info',
  summary: 'What the engine has and the host can',
  response: SystemInfo,
  handle: async (context, { apiMinor }) => renderInfo(context, apiMinor),
})

function renderInfo({ engine, config }: Context, apiMinor: number): SystemInfo {
  const info = engineInfo(engine)
  const { host } = engine
  const { name, version } = operatingSystem()
  const has = (controller: string): boolean => findHierarchy(host.cgroups, controller) !== undefined
  const cgroupVersion = info.cgroupMode === 'v2' ? '2' : '1'
  const { insecure, mirrors } = engine.config.registries
  const insecureHosts = insecure
    .filter((entry) => !isNetwork(entry))
    .map((host) => [host, { Name: host, Mirrors: [], Secure: false, Official: false }] as const)
  // `Expected` went in v1.49.
  const noCommit = { ID: '', ...(apiMinor < 49 ? { Expected: '' } : {}) }
  const security = securityOptions(cgroupVersion, engine)
  return {
    ID: engine.id,
    ...(apiMinor < 25 ? { ExecutionDriver: '<not supported>' } : {}),
    Containers: info.containers,
    ContainersRunning: info.running,
    ContainersPaused: info.paused,
    ContainersStopped: info.stopped,
    Images: info.images,
    Driver: 'overlay2',
    DriverStatus: [
      ['Backing Filesystem', backingFilesystem(info.dataRoot)],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'true'],
      ['userxattr', 'false'],
    ],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
      Authorization: null,
      Log: ['journald', 'json-file', 'local', 'none', 'syslog'],
    },
    MemoryLimit: has('memory'),
    SwapLimit: info.hasSwapAccounting,
    ...(apiMinor < 42 ? { KernelMemory: false, KernelMemoryTCP: false } : {}),
    CpuCfsPeriod: has('cpu'),
    CpuCfsQuota: has('cpu'),
    CPUShares: has('cpu'),
    CPUSet: has('cpuset'),
    PidsLimit: has('pids'),
    IPv4Forwarding: isForwarding(),
    ...(apiMinor < 50 ? { BridgeNfIptables: false, BridgeNfIp6tables: false } : {}),
    Debug: config.logLevel === 'debug',
    NFd: readdirSync('/proc/self/fd').length,
    OomKillDisable: cgroupVersion === '1',
    NGoroutines: 0,
    // To the nanosecond: clients ask for events until now.
    SystemTime: rfc3339(systemClock.nowNs()),
    LoggingDriver: engine.config.defaultLog.driver,
    CgroupDriver: engine.config.cgroupDriver,
    CgroupVersion: cgroupVersion,
    NEventsListener: 0,
    KernelVersion: kernelVersion(),
    OperatingSystem: name,
    OSVersion: version,
    OSType: 'linux',
    Architecture:
      process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      ...(apiMinor < 49
        ? {
            AllowNondistributableArtifactsCIDRs: [],
            AllowNondistributableArtifactsHostnames: [],
          }
        : {}),
      InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8', ...insecure.filter(isNetwork)],
      IndexConfigs: {
        'docker.io': { Name: 'docker.io', Mirrors: [...mirrors], Secure: true, Official: true },
        ...Object.fromEntries(insecureHosts),
      },
      Mirrors: [...mirrors],
    },
    NCPU: cpus().length,
    MemTotal: totalMemoryBytes(),
    GenericResources: null,
    DockerRootDir: engine.config.dataRoot,
    HttpProxy: process.env['HTTP_PROXY'] ?? '',
    HttpsProxy: process.env['HTTPS_PROXY'] ?? '',
    NoProxy: process.env['NO_PROXY'] ?? '',
    Name: hostname(),
    Labels: [...engine.config.labels],
    ExperimentalBuild: true,
    ServerVersion: VERSION,
    Runtimes: { ctr: { path: 'ctr-shim' } },
    DefaultRuntime: 'ctr',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    // There is no other way here.
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: engine.config.initPath || 'ctr-init',
    ContainerdCommit: noCommit,
    RuncCommit: noCommit,
    InitCommit: noCommit,
    // Until v1.24 names only.
    SecurityOptions: apiMinor < 25 ? security.map(nameOf) : security,
    ...(apiMinor >= 44 ? { CDISpecDirs: [...engine.config.cdiSpecDirs] } : {}),
    ...(apiMinor >= 49 ? { FirewallBackend: { Driver: 'nftables' } } : {}),
    Warnings: null,
  }
}

function securityOptions(
  cgroupVersion: string,
  { config, host }: Pick<Engine, 'config' | 'host'>,
): string[] {
  const { seccompProfile, usernsRemap, seLinuxEnabled } = config
  return [
    ...(host.appArmor ? ['name=apparmor'] : []),
    `name=seccomp,profile=${seccompProfile || 'builtin'}`,
    ...(seLinuxEnabled && host.seLinux ? ['name=selinux'] : []),
    ...(usernsRemap === '' ? [] : ['name=userns']),
    ...(cgroupVersion === '2' ? ['name=cgroupns'] : []),
  ]
}

/** `seccomp` of `name=seccomp,profile=builtin`. */
function nameOf(option: string): string {
  return option.split(',')[0]?.replace('name=', '') ?? ''
}

/** statfs(2), by the names that Docker uses. */
function backingFilesystem(path: string): string {
  const names: Readonly<Record<number, string>> = {
    0xef53: 'extfs',
    0x58465342: 'xfs',
    0x9123683e: 'btrfs',
    0x01021994: 'tmpfs',
    0x794c7630: 'overlayfs',
    0x2fc12fc1: 'zfs',
  }
  return names[statfsSync(path).type] ?? 'unknown'
}

/** `10.0.0.0/8`, not a host name. */
function isNetwork(entry: string): boolean {
  return entry.includes('/')
}

function isForwarding(): boolean {
  return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1'
}

/** proc(5), /proc/meminfo. */
function totalMemoryBytes(): number {
  const kib = /^MemTotal:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
  return Number(kib ?? 0) * 1024
}
