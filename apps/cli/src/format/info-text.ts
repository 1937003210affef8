import type { SystemInfo } from '@ctr/api'
import { formatMemory } from './size.ts'

/** What the daemon tells of itself, in docker's words and order. docker/cli command/system/info.go prettyPrintServerInfo */
export function infoText(info: SystemInfo, o: { readonly isDebugging: boolean }): string {
  return [...engineLines(info), ...hostLines(info, o.isDebugging), ...registryLines(info)]
    .map((line) => `${line}\n`)
    .join('')
}

function engineLines(info: SystemInfo): string[] {
  const { Plugins: plugins } = info
  return [
    ` Containers: ${info.Containers}`,
    `  Running: ${info.ContainersRunning}`,
    `  Paused: ${info.ContainersPaused}`,
    `  Stopped: ${info.ContainersStopped}`,
    ` Images: ${info.Images}`,
    ...known(' Server Version', info.ServerVersion),
    ...known(' Storage Driver', info.Driver),
    ...(info.DriverStatus ?? []).map(([name = '', value = '']) => `  ${name}: ${value}`),
    ...known(' Logging Driver', info.LoggingDriver),
    ...known(' Cgroup Driver', info.CgroupDriver),
    ...known(' Cgroup Version', info.CgroupVersion),
    ' Plugins:',
    `  Volume: ${(plugins?.Volume ?? []).join(' ')}`,
    `  Network: ${(plugins?.Network ?? []).join(' ')}`,
    ...known('  Authorization', (plugins?.Authorization ?? []).join(' ')),
    `  Log: ${(plugins?.Log ?? []).join(' ')}`,
    ...list(' CDI spec directories', info.CDISpecDirs),
    ` Swarm: ${info.Swarm?.LocalNodeState ?? 'inactive'}`,
    ` Runtimes: ${Object.keys(info.Runtimes ?? {}).join(' ')}`,
    ` Default Runtime: ${info.DefaultRuntime}`,
    ` Init Binary: ${info.InitBinary}`,
    ` containerd version: ${info.ContainerdCommit?.ID ?? ''}`,
    ` runc version: ${info.RuncCommit?.ID ?? ''}`,
    ` init version: ${info.InitCommit?.ID ?? ''}`,
    ...list(' Security Options', (info.SecurityOptions ?? []).flatMap(securityLines)),
  ]
}

function hostLines(info: SystemInfo, isDebugging: boolean): string[] {
  const debugging = [
    `  File Descriptors: ${info.NFd}`,
    `  Goroutines: ${info.NGoroutines}`,
    `  System Time: ${info.SystemTime}`,
    `  EventsListeners: ${info.NEventsListener}`,
  ]
  return [
    ...known(' Kernel Version', info.KernelVersion),
    ...known(' Operating System', info.OperatingSystem),
    ...known(' OSType', info.OSType),
    ...known(' Architecture', info.Architecture),
    ` CPUs: ${info.NCPU}`,
    ` Total Memory: ${formatMemory(info.MemTotal)}`,
    ...known(' Name', info.Name),
    ...known(' ID', info.ID),
    ` Docker Root Dir: ${info.DockerRootDir}`,
    ` Debug Mode: ${info.Debug}`,
    ...(info.Debug || isDebugging ? debugging : []),
    ...known(' HTTP Proxy', info.HttpProxy),
    ...known(' HTTPS Proxy', info.HttpsProxy),
    ...known(' No Proxy', info.NoProxy),
    ...list(' Labels', info.Labels),
    ` Experimental: ${info.ExperimentalBuild}`,
  ]
}

function registryLines(info: SystemInfo): string[] {
  const registries = info.RegistryConfig
  const insecure = Object.values(registries?.IndexConfigs ?? {}).filter(({ Secure }) => !Secure)
  return [
    ...list(' Insecure Registries', [
      ...insecure.map(({ Name }) => Name),
      ...(registries?.InsecureRegistryCIDRs ?? []),
    ]),
    ...list(' Registry Mirrors', registries?.Mirrors),
    ` Live Restore Enabled: ${info.LiveRestoreEnabled}`,
    ...list(
      ' Default Address Pools',
      (info.DefaultAddressPools ?? []).map(({ Base, Size }) => ` Base: ${Base}, Size: ${Size}`),
    ),
    // Docker's CLI has it since 29.
    ...known(' Firewall Backend', info.FirewallBackend?.Driver),
    '',
  ]
}

/** Nothing about what is not known. */
function known(name: string, value: string | undefined): string[] {
  return value === undefined || value === '' ? [] : [`${name}: ${value}`]
}

function list(title: string, items: readonly string[] | null | undefined): string[] {
  return (items ?? []).length === 0
    ? []
    : [`${title}:`, ...(items ?? []).map((item) => `  ${item}`)]
}

/** `name=seccomp,profile=default` on two lines. Of the options docker shows the profile. */
function securityLines(option: string): string[] {
  const [name = '', ...rest] = option.split(',')
  const profiles = rest.filter((item) => item.startsWith('profile='))
  return [
    name.replace(/^name=/, ''),
    ...profiles.map((item) => ` Profile: ${item.slice('profile='.length)}`),
  ]
}
