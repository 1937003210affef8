import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  hostsFile,
  moveHostsEntries,
  moveLinkEntries,
  pointsToSystemdStub,
  resolvConf,
  SYSTEMD_RESOLVED_FILE,
} from '@ctr/network'
import type { Engine } from '../engine.ts'
import { addressesOf } from './connect-networks.ts'
import type { ContainerRecord } from './container.ts'
import { linkHosts, runningParents } from './links.ts'
import type { NetworkMode } from './modes.ts'

/**
 * Writes /etc/hostname, /etc/hosts and /etc/resolv.conf of a container that is about to start. They are bound into it,
 * so they are written in place: the inode stays.
 */
export function writeRuntimeFiles(
  engine: Pick<Engine, 'config' | 'containers' | 'networks'>,
  container: ContainerRecord,
  mode: NetworkMode,
  o: { readonly hostname: string; readonly addresses: readonly string[] },
): void {
  const { config, hostConfig } = container
  const isHost = mode.kind === 'host'
  const { hostGateways } = engine.config
  const gateways = hostGateways.length > 0 ? hostGateways : engine.networks.hostGateways
  makeDirectory(container)
  writePublic(container.hostnamePath, `${o.hostname}\n`)
  writePublic(
    container.hostsPath,
    hostsFile({
      hostname: o.hostname,
      domainname: config.Domainname ?? '',
      addresses: o.addresses,
      extraHosts: hostConfig.ExtraHosts ?? [],
      links: linkHosts(engine, container),
      hostGateways: gateways,
      ...(isHost ? { hostFile: readHostFile('/etc/hosts') } : {}),
    }),
  )
  writePublic(container.resolvConfPath, renderResolvConf(engine, container, isHost, o.addresses))
}

/**
 * Runs `change`, which connects or disconnects a running container, and lets its files follow: its own lines of
 * /etc/hosts, and /etc/resolv.conf unless the container has written it. `change` calls `follow` at the end of the transaction
 * that ends it: nobody would look at files that a kill after it has kept from following. Those that follow and whose transaction
 * is rolled back go back with the change.
 */
export async function withRuntimeFiles<T>(
  engine: Pick<Engine, 'config' | 'networks'>,
  container: ContainerRecord,
  change: (follow: () => void) => Promise<T>,
): Promise<T> {
  let shown = filesNow(engine, container)
  const follow = (): void => {
    const now = filesNow(engine, container)
    moveFiles(container, shown, now)
    shown = now
  }
  try {
    return await change(follow)
  } finally {
    follow()
  }
}

interface NetworkFiles {
  readonly addresses: readonly string[]
  readonly resolvConf: string
}

function filesNow(
  engine: Pick<Engine, 'config' | 'networks'>,
  container: ContainerRecord,
): NetworkFiles {
  const addresses = addressesOf(engine.networks.endpointsOfContainer(container.id))
  return { addresses, resolvConf: renderResolvConf(engine, container, false, addresses) }
}

function moveFiles(
  { config, hostsPath, resolvConfPath }: ContainerRecord,
  before: NetworkFiles,
  after: NetworkFiles,
): void {
  rewrite(hostsPath, (text) =>
    moveHostsEntries(text, {
      hostname: config.Hostname ?? '',
      domainname: config.Domainname ?? '',
      removed: before.addresses.filter((address) => !after.addresses.includes(address)),
      added: after.addresses.filter((address) => !before.addresses.includes(address)),
    }),
  )
  rewrite(resolvConfPath, (text) => (text === before.resolvConf ? after.resolvConf : text))
}

/** Containers that are linked to one which is about to start find it at its new address. */
export function updateParentHosts(
  engine: Pick<Engine, 'containers' | 'networks'>,
  container: ContainerRecord,
): void {
  for (const { parent, alias, addresses } of runningParents(engine, container)) {
    rewrite(parent.hostsPath, (text) => moveLinkEntries(text, alias, addresses))
  }
}

function renderResolvConf(
  engine: Pick<Engine, 'config' | 'networks'>,
  { id, hostConfig }: ContainerRecord,
  isHostNetwork: boolean,
  addresses: readonly string[],
): string {
  return resolvConf({
    hostFile: readHostResolvConf(),
    nameservers: nonEmpty(hostConfig.Dns, engine.config.dns),
    search: nonEmpty(hostConfig.DnsSearch, engine.config.dnsSearch),
    options: nonEmpty(hostConfig.DnsOptions, engine.config.dnsOptions),
    resolver: engine.networks.resolverOf(id),
    isHostNetwork,
    hasIpv6: addresses.some((address) => address.includes(':')),
  })
}

/** It stays until the container is removed, or the exec root is cleared. */
function makeDirectory({ hostsPath }: ContainerRecord): void {
  mkdirSync(dirname(hostsPath), { recursive: true, mode: 0o700 })
}

/** In place. The container may have made the file as long as it likes, or somebody has removed it: then it is left alone. */
function rewrite(path: string, edit: (text: string) => string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY
  if (size > MAX_FILE_BYTES) return
  const text = readFileSync(path, 'utf8')
  const edited = edit(text)
  if (edited !== text) writeFileSync(path, edited)
}

const MAX_FILE_BYTES = 1024 * 1024

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
