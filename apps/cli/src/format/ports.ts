import type { Port } from '@ctr/api'

/** `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp`; consecutive ports as ranges (docker/cli formatter DisplayablePorts). */
export function displayPorts(ports: readonly Port[]): string {
  const groups = new Map<string, { first: number; last: number }>()
  const texts: string[] = []
  const mapped: string[] = []
  for (const port of ports.toSorted(comparePorts)) {
    const ip = port.IP ?? ''
    if (ip !== '' && port.PublicPort !== port.PrivatePort) {
      mapped.push(`${hostPort(ip, port.PublicPort ?? 0)}->${port.PrivatePort}/${port.Type}`)
      continue
    }
    const key = ip === '' ? port.Type : `${ip}/${port.Type}`
    const group = groups.get(key)
    if (group !== undefined && group.last + 1 === port.PrivatePort) {
      group.last = port.PrivatePort
      continue
    }
    if (group !== undefined) texts.push(groupText(key, group.first, group.last))
    groups.set(key, { first: port.PrivatePort, last: port.PrivatePort })
  }
  for (const [key, { first, last }] of groups) texts.push(groupText(key, first, last))
  return [...texts, ...mapped].join(', ')
}

function comparePorts(a: Port, b: Port): number {
  return (
    a.PrivatePort - b.PrivatePort ||
    compareText(a.IP ?? '', b.IP ?? '') ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    compareText(a.Type, b.Type)
  )
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function groupText(key: string, first: number, last: number): string {
  const slash = key.indexOf('/')
  const range = first === last ? String(first) : `${first}-${last}`
  if (slash < 0) return `${range}/${key}`
  return `${hostPort(key.slice(0, slash), range)}->${range}/${key.slice(slash + 1)}`
}

/** Go's net.JoinHostPort: IPv6 addresses in brackets. */
export function hostPort(ip: string, port: string | number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
}
