import type { ContainerConfig } from '@ctr/api'

export interface ExposedPort {
  readonly port: number
  readonly protocol: string
}

/** The keys of `ExposedPorts` (`80/tcp`, `53/udp`, `8000-8002/tcp`), port by port. They are checked when a container is created. */
export function exposedPorts({ ExposedPorts }: ContainerConfig): ExposedPort[] {
  return Object.keys(ExposedPorts ?? {}).flatMap((text) => {
    const [ports = '', protocol = 'tcp'] = text.split('/')
    const [first = '', last = first] = ports.split('-')
    const length = Number(last) - Number(first) + 1
    return Array.from({ length }, (_, index) => ({ port: Number(first) + index, protocol }))
  })
}
