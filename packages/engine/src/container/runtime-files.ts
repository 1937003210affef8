import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { hostsFile, pointsToSystemdStub, resolvConf, SYSTEMD_RESOLVED_FILE } from '@ctr/network'
import type { Engine } from '../engine.ts'
import type { ContainerRecord } from './container.ts'
import type { NetworkMode } from './modes.ts'

/**
 * Writes /etc/hostname, /etc/hosts and /etc/resolv.conf of a container that is about to start. They are bound into it,
 * so they are written in place: the inode stays.
 */
export function writeRuntimeFiles(
  engine: Pick<Engine, 'config' | 'networks'>,
  container: ContainerRecord,
  mode: NetworkMode,
  o: { readonly hostname: string; readonly addresses: readonly string[] },
): void {
  const { config, hostConfig } = container
  const isHost = mode.kind === 'host'
  const gateway = engine.networks.hostGateway
  writePublic(container.hostnamePath, `${o.hostname}\n`)
  writePublic(
    container.hostsPath,
    hostsFile({
      hostname: o.hostname,
      domainname: config.Domainname ?? '',
      addresses: o.addresses,
      extraHosts: hostConfig.ExtraHosts ?? [],
      ...(gateway === undefined ? {} : { hostGateway: gateway }),
      ...(isHost ? { hostFile: readHostFile('/etc/hosts') } : {}),
    }),
  )
  writePublic(
    container.resolvConfPath,
    resolvConf({
      hostFile: readHostResolvConf(),
      nameservers: nonEmpty(hostConfig.Dns, engine.config.dns),
      search: nonEmpty(hostConfig.DnsSearch, engine.config.dnsSearch),
      options: nonEmpty(hostConfig.DnsOptions, engine.config.dnsOptions),
      resolver: engine.networks.resolverOf(container.id),
      isHostNetwork: isHost,
      hasIpv6: o.addresses.some((address) => address.includes(':')),
    }),
  )
}

/** Every user of the container reads them, whatever the engine's umask is. */
function writePublic(path: string, text: string): void {
  writeFileSync(path, text)
  chmodSync(path, 0o644)
}

function nonEmpty(
  own: readonly string[] | undefined,
  fallback: readonly string[],
): readonly string[] {
  return own !== undefined && own.length > 0 ? own : fallback
}

function readHostResolvConf(): string {
  const text = readHostFile('/etc/resolv.conf')
  return pointsToSystemdStub(text) ? readHostFile(SYSTEMD_RESOLVED_FILE) : text
}

function readHostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // a host may do without
  }
}
