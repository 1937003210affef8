import type { HostConfig } from '@ctr/api'
import type { RuntimeSpec } from '@ctr/oci'
import type { IdMaps } from '@ctr/shim'
import { parseNetworkMode } from '../modes.ts'
import { givenCgroup } from '../scope.ts'
import { parseSecurityOptions } from '../security-options.ts'
import type { SpecInput } from './input.ts'
import { compileMounts } from './mounts.ts'
import { compileNamespaces } from './namespaces.ts'
import { compileProcess } from './process.ts'
import { compileResources } from './resources.ts'
import { compileSeccompRules } from './seccomp.ts'

/** A container's settings as an OCI runtime spec. Pure. moby daemon/oci_linux.go createSpec */
export function compileSpec(input: SpecInput): RuntimeSpec {
  const { container } = input
  const { config, hostConfig } = container
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? [], input)
  const ownsUts = (hostConfig.UTSMode ?? '') === ''
  const cgroupsPath = givenCgroup(container)
  return {
    ociVersion: '1.2.0',
    process: compileProcess(input, security),
    root: { path: '', readonly: hostConfig.ReadonlyRootfs === true },
    ...(ownsUts ? { hostname: input.hostname } : {}),
    ...(ownsUts && (config.Domainname ?? '') !== '' ? { domainname: config.Domainname } : {}),
    mounts: compileMounts(input, security),
    annotations: hostConfig.Annotations ?? {},
    linux: {
      namespaces: compileNamespaces(input),
      ...(input.idMaps === undefined
        ? {}
        : { uidMappings: [...input.idMaps.uids], gidMappings: [...input.idMaps.gids] }),
      devices: [...input.devices.nodes],
      ...(cgroupsPath === undefined ? {} : { cgroupsPath }),
      resources: compileResources(hostConfig, input),
      sysctl: compileSysctl(hostConfig, input.idMaps),
      seccomp: compileSeccompRules(input, security),
      maskedPaths: [...(hostConfig.MaskedPaths ?? [])],
      readonlyPaths: [...(hostConfig.ReadonlyPaths ?? [])],
    },
  }
}

/** Ping and ports below 1024 need no privilege in an own network namespace. moby daemon/oci_linux.go WithCommonOptions */
function compileSysctl(hostConfig: HostConfig, idMaps: IdMaps | undefined): Record<string, string> {
  const kind = parseNetworkMode(hostConfig).kind
  const own =
    kind === 'none' || kind === 'network'
      ? {
          'net.ipv4.ip_unprivileged_port_start': '0',
          // Groups that it has: a user namespace has few.
          ...(idMaps === undefined ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
        }
      : {}
  return { ...own, ...hostConfig.Sysctls }
}
