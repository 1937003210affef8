import { EngineError } from '@ctr/errdefs'

/**
 * `80`, `53/udp`, `8000-8002/tcp` as keys of ExposedPorts: one per port, with protocol. What would be its port on the host (`8080:80`) counts
 * for nothing, as in dockerd.
 */
export function normalizePorts(text: string): string[] {
  const host = text.slice(0, text.lastIndexOf(':') + 1)
  if (!/^(?:(?:\[[^\]]*\]|[^:]*):)?(?:(?:\d{1,5}(?:-\d{1,5})?)?:)?$/.test(host)) {
    throw new EngineError('INVALID_ARGUMENT', `invalid containerPort: ${text}`)
  }
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-zA-Z]+))?$/.exec(text.slice(host.length))
  const first = Number(match?.[1])
  const last = match?.[2] === undefined ? first : Number(match[2])
  const protocol = (match?.[3] ?? 'tcp').toLowerCase()
  if (match === null || first < 1 || last > 65535 || last < first) {
    throw new EngineError('INVALID_ARGUMENT', `invalid containerPort: ${text}`)
  }
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) {
    throw new EngineError('INVALID_ARGUMENT', `invalid proto: ${protocol}`)
  }
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`)
}
