import type { PortMap } from '@ctr/api'
import { ipVersion } from './ip.ts'

/** `-p` and `--expose` (docker/go-connections nat.ParsePortSpecs). Throws an Error with Docker's text. */
export interface PublishedPorts {
  readonly exposed: Record<string, Record<string, never>>
  readonly bindings: PortMap
}

export function parsePublishedPorts(
  publish: readonly string[],
  expose: readonly string[],
): PublishedPorts {
  const exposed: Record<string, Record<string, never>> = {}
  const bindings: PortMap = {}
  for (const spec of publish) {
    for (const { port, hostIp, hostPort } of parsePublish(spec)) {
      exposed[port] = {}
      bindings[port] = [...(bindings[port] ?? []), { HostIp: hostIp, HostPort: hostPort }]
    }
  }
  for (const spec of expose) for (const port of parseExpose(spec)) exposed[port] = {}
  return { exposed, bindings }
}

interface PublishedPort {
  /** `80/tcp` */
  readonly port: string
  readonly hostIp: string
  readonly hostPort: string
}

/** `[ip:][host[-host]:]container[-container][/protocol]`, or `target=80,published=8080,protocol=tcp`. */
export function parsePublish(text: string): PublishedPort[] {
  const spec = text.includes('=') ? shortForm(text) : text
  const { ip, host, container } = splitParts(spec)
  const { protocol, port } = splitProtocol(container)
  const hostIp = ip.replace(/^\[(.*)\]$/, '$1')
  if (ip.startsWith('[') && !ip.endsWith(']')) {
    throw new Error(`invalid IP address ${ip}: address ${ip}:: missing ']' in address`)
  }
  if (ip !== '' && ipVersion(hostIp) === 0) throw new Error(`invalid IP address: ${hostIp}`)
  if (port === '') throw new Error(`no port specified: ${spec}<empty>`)
  const inside = portRange(port, () => `invalid containerPort: ${port}`)
  const outside = host === '' ? undefined : portRange(host, () => `invalid hostPort: ${host}`)
  const count = inside.end - inside.start
  if (outside !== undefined && count > 0 && outside.end - outside.start !== count) {
    throw new Error(`invalid ranges specified for container and host Ports: ${port} and ${host}`)
  }
  if (!PROTOCOLS.has(protocol)) throw new Error(`invalid proto: ${protocol}`)
  return Array.from({ length: count + 1 }, (_, index) => ({
    port: `${inside.start + index}/${protocol}`,
    hostIp,
    hostPort: hostPortText(outside, index, count),
  }))
}

const PROTOCOLS = new Set(['tcp', 'udp', 'sctp'])

/** One container port and a range of host ports: the daemon picks one of them. */
function hostPortText(range: PortRange | undefined, index: number, count: number): string {
  if (range === undefined) return ''
  if (count === 0 && range.end !== range.start) return `${range.start}-${range.end}`
  return String(range.start + index)
}

function shortForm(text: string): string {
  const values: Record<string, string> = {}
  for (const option of text.split(',')) {
    const equals = option.indexOf('=')
    if (equals < 0) {
      throw new Error(`invalid publish opts format (should be name=value but got '${option}')`)
    }
    values[option.slice(0, equals)] = option.slice(equals + 1)
  }
  return `${values['published'] ?? ''}:${values['target'] ?? ''}/${values['protocol'] ?? 'tcp'}`
}

function splitParts(spec: string): { ip: string; host: string; container: string } {
  const parts = spec.split(':')
  const container = parts.pop() ?? ''
  const host = parts.pop() ?? ''
  return { ip: parts.join(':'), host, container }
}

function splitProtocol(text: string): { protocol: string; port: string } {
  const slash = text.indexOf('/')
  if (slash < 0) return { protocol: 'tcp', port: text }
  return { protocol: text.slice(slash + 1).toLowerCase() || 'tcp', port: text.slice(0, slash) }
}

interface PortRange {
  readonly start: number
  readonly end: number
}

function portRange(text: string, message: (reason: string) => string): PortRange {
  const dash = text.indexOf('-')
  const start = dash < 0 ? text : text.slice(0, dash)
  const end = dash < 0 ? text : text.slice(dash + 1)
  for (const part of [start, end]) {
    if (!/^\d+$/.test(part)) {
      throw new Error(message(`strconv.ParseUint: parsing ${JSON.stringify(part)}: invalid syntax`))
    }
    if (Number(part) > 65535) {
      throw new Error(
        message(`strconv.ParseUint: parsing ${JSON.stringify(part)}: value out of range`),
      )
    }
  }
  if (Number(end) < Number(start))
    throw new Error(message(`invalid range specified for port: ${text}`))
  return { start: Number(start), end: Number(end) }
}

/** `80`, `80-90/udp`. */
function parseExpose(spec: string): string[] {
  if (spec.includes(':')) throw new Error(`invalid port format for --expose: ${spec}`)
  const { protocol, port } = splitProtocol(spec)
  const complaint = (reason: string): string =>
    `invalid range format for --expose: ${spec}, error: ${reason}`
  if (port === '') throw new Error(complaint('empty string specified for ports'))
  // The daemon judges the protocol.
  const range = portRange(port, complaint)
  const count = range.end - range.start + 1
  return Array.from({ length: count }, (_, index) => `${range.start + index}/${protocol}`)
}
