import { createHash } from 'node:crypto'
import { EngineError, errnoText } from '@ctr/errdefs'
import { type Protocol, protocolName } from '@ctr/shim'
import type { Address } from '../address.ts'
import { addressBytes, formatAddress, parseAddress } from '../address.ts'
import type { PortModes } from '../network/gateway-mode.ts'

/** What a user asks for; the parts as in Docker's API. */
export interface PortBinding {
  readonly protocol: string
  readonly containerPort: number
  /** Empty: all addresses, IPv4 and IPv6. */
  readonly hostIp: string
  /** Empty or `0`: any free port; `8080`; or `8000-8010`: the first free one of these. */
  readonly hostPort: string
}

/** What the user got: one address, one port. */
export interface PublishedPort {
  readonly protocol: Protocol
  readonly containerPort: number
  readonly hostIp: string
  /** 0: it is reached at the container's own address. */
  readonly hostPort: number
}

/** Which ports are taken: by our own endpoints, and by other programs. */
export interface PortFacts {
  isTaken(protocol: Protocol, hostIp: string, port: number): boolean
  isFree(protocol: Protocol, address: Uint8Array, port: number): boolean
  /** The host has IPv6. */
  readonly hasIpv6: boolean
  /** Where the search for any port goes on, so that a port is not used again at once. */
  nextEphemeral: number
}

/** proc(5) ip_local_port_range; the kernel's default. */
const EPHEMERAL_FIRST = 32768
export const EPHEMERAL_LAST = 60999

/** Each daemon begins elsewhere, so that daemons that start containers at the same moment do not choose the same port. */
export function firstEphemeral(instance: string): number {
  const hash = createHash('sha256').update(instance).digest().readUInt32BE()
  return EPHEMERAL_FIRST + (hash % (EPHEMERAL_LAST - EPHEMERAL_FIRST))
}

/**
 * Decides the host's side of every binding: none (port 0) where the container's own port is reached. Throws an EngineError with
 * Docker's text for what cannot be had.
 */
export function allocatePorts(
  bindings: readonly PortBinding[],
  facts: PortFacts,
  endpoint: { name: string; id: string },
  modes: PortModes = { ipv4: 'host', ipv6: 'host' },
): PublishedPort[] {
  const published: PublishedPort[] = []
  const isTaken = (protocol: Protocol, hostIp: string, port: number): boolean =>
    facts.isTaken(protocol, hostIp, port) || published.some((p) => clash(p, protocol, hostIp, port))
  for (const binding of bindings.toSorted((a, b) => freedom(a) - freedom(b))) {
    const protocol = parseProtocol(binding.protocol)
    checkPort(binding.containerPort)
    const all = bindAddresses(binding.hostIp, facts.hasIpv6)
    const addresses = all.filter((address) => modeOf(address, modes) === 'host')
    const port =
      addresses.length === 0 ? 0 : choosePort(binding, protocol, addresses, { ...facts, isTaken })
    if (port === undefined) throw conflict(binding, addresses, endpoint)
    if (isEphemeral(binding) && port !== 0)
      facts.nextEphemeral = port === EPHEMERAL_LAST ? EPHEMERAL_FIRST : port + 1
    for (const address of all) {
      const mode = modeOf(address, modes)
      if (mode === 'none') continue
      const hostPort = mode === 'host' ? port : 0
      const { containerPort } = binding
      published.push({ protocol, containerPort, hostIp: formatAddress(address), hostPort })
    }
  }
  return published
}

/** IPv6 clients of the host reach a container of IPv4 by the shim, but not where there is no port of the host. */
function modeOf({ family }: Address, { ipv4, ipv6 }: PortModes): PortModes['ipv4'] {
  if (family === 4) return ipv4 === 'none' && ipv6 === 'host' ? 'host' : ipv4
  return ipv6 === 'none' && ipv4 === 'host' ? 'host' : ipv6
}

/** Who wants one port gets it before others choose theirs. nat.SortPortMap of go-connections */
function freedom(binding: PortBinding): number {
  if (isEphemeral(binding)) return 2
  return binding.hostPort.includes('-') ? 1 : 0
}

/** Docker's text for a port that another container or program has. */
function portConflictError(
  endpoint: { name: string; id: string },
  hostIp: string,
  port: number,
): EngineError {
  return connectivityError(
    endpoint,
    `Bind for ${hostAndPort(hostIp, port)} failed: port is already allocated`,
  )
}

/** For a `forward` operation that the shim could not do: what went wrong with which published port. */
export function forwardError(
  endpoint: { name: string; id: string },
  forward: { readonly protocol: number; readonly address: string; readonly port: number },
  errno: string,
): EngineError {
  const { address, port } = forward
  if (errno === 'EADDRINUSE') return portConflictError(endpoint, address, port)
  const kind = `${protocolName(forward.protocol)}${address.includes(':') ? 6 : 4}`
  const reason = errnoText(errno)
  return connectivityError(
    endpoint,
    `Error starting userland proxy: listen ${kind} ${hostAndPort(address, port)}: bind: ${reason}`,
  )
}

function connectivityError(endpoint: { name: string; id: string }, reason: string): EngineError {
  return new EngineError(
    'INTERNAL',
    `driver failed programming external connectivity on endpoint ${endpoint.name} (${endpoint.id}): ${reason}`,
  )
}

function hostAndPort(hostIp: string, port: number): string {
  return hostIp.includes(':') ? `[${hostIp}]:${port}` : `${hostIp}:${port}`
}

function choosePort(
  binding: PortBinding,
  protocol: Protocol,
  addresses: readonly Address[],
  facts: PortFacts,
): number | undefined {
  const isOurs = (port: number): boolean =>
    addresses.some((address) => facts.isTaken(protocol, formatAddress(address), port))
  const isUsable = (port: number): boolean =>
    !isOurs(port) &&
    addresses.every((address) => facts.isFree(protocol, addressBytes(address), port))
  if (isEphemeral(binding)) {
    return (
      firstOf(facts.nextEphemeral, EPHEMERAL_LAST, isUsable) ??
      firstOf(EPHEMERAL_FIRST, facts.nextEphemeral - 1, isUsable)
    )
  }
  const { first, last } = parseRange(binding.hostPort)
  // One wanted port: only our own book is asked; the shim's bind says the rest, and with the right error.
  return firstOf(first, last, (port) => (first === last ? !isOurs(port) : isUsable(port)))
}

function firstOf(first: number, last: number, test: (port: number) => boolean): number | undefined {
  for (let port = first; port <= last; port++) if (test(port)) return port
  return undefined
}

function conflict(
  binding: PortBinding,
  addresses: readonly Address[],
  endpoint: { name: string; id: string },
): EngineError {
  if (isEphemeral(binding)) return connectivityError(endpoint, 'all ports are allocated')
  const { first, last } = parseRange(binding.hostPort)
  if (first !== last) {
    return connectivityError(endpoint, `all ports of ${binding.hostPort} are allocated`)
  }
  const [address] = addresses
  return portConflictError(endpoint, address === undefined ? '' : formatAddress(address), first)
}

function parseProtocol(protocol: string): Protocol {
  if (protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp') return protocol
  throw new EngineError('INVALID_ARGUMENT', `invalid proto: ${protocol}`)
}

function bindAddresses(hostIp: string, hasIpv6: boolean): Address[] {
  if (hostIp === '') {
    const any: Address[] = [{ family: 4, value: 0n }]
    return hasIpv6 ? [...any, { family: 6, value: 0n }] : any
  }
  const address = parseAddress(hostIp.replace(/^\[(.*)\]$/, '$1'))
  if (address === undefined) {
    throw new EngineError('INVALID_ARGUMENT', `invalid IP address: ${hostIp}`)
  }
  return [address]
}

function isEphemeral(binding: PortBinding): boolean {
  return binding.hostPort === '' || binding.hostPort === '0'
}

function parseRange(text: string): { first: number; last: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match === null || last < first) {
    throw new EngineError('INVALID_ARGUMENT', `invalid port specification: "${text}"`)
  }
  checkPort(first)
  checkPort(last)
  return { first, last }
}

function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new EngineError('INVALID_ARGUMENT', `invalid port ${port}: must be from 1 to 65535`)
  }
}

function clash(port: PublishedPort, protocol: string, hostIp: string, hostPort: number): boolean {
  if (port.protocol !== protocol || port.hostPort !== hostPort) return false
  if (port.hostIp.includes(':') !== hostIp.includes(':')) return false
  const any = hostIp.includes(':') ? '::' : '0.0.0.0'
  return port.hostIp === hostIp || port.hostIp === any || hostIp === any
}
