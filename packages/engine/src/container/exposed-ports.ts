import type { ContainerConfig } from '@ctr/api'

export interface ExposedPort {
  readonly port: number
  readonly protocol: string
}

export interface ExposedRange {
  readonly first: number
  readonly last: number
  readonly protocol: string
}

/** The keys of `ExposedPorts` (`80/tcp`, `53/udp`, `8000-8002/tcp`). They are checked when a container is created. */
export function exposedRanges({ ExposedPorts }: ContainerConfig): ExposedRange[] {
  return Object.keys(ExposedPorts ?? {}).map((text) => {
    const [ports = '', protocol = 'tcp'] = text.split('/')
    const [first = '', last = first] = ports.split('-')
    return { first: Number(first), last: Number(last), protocol }
  })
}

/** Port by port, none twice: a request has room for some hundred thousand ranges that are all of the same ports. */
export function exposedPorts(config: ContainerConfig): ExposedPort[] {
  const untold = new Map<string, Untold>()
  return exposedRanges(config).flatMap(({ first, last, protocol }) => {
    const of = untold.get(protocol) ?? new Untold()
    untold.set(protocol, of)
    return of.take(first, last).map((port) => ({ port, protocol }))
  })
}

/** Ports that have not been told, of which each is looked at a few times only however many ranges it is in. */
class Untold {
  /** The next one from a port on that may be untold; absent: itself. */
  readonly #next = new Map<number, number>()

  take(first: number, last: number): number[] {
    const taken: number[] = []
    for (let port = this.#from(first); port <= last; port = this.#from(port)) {
      taken.push(port)
      this.#next.set(port, port + 1)
    }
    return taken
  }

  #from(port: number): number {
    let end = port
    for (let next = this.#next.get(end); next !== undefined; next = this.#next.get(end)) end = next
    // Whoever comes here again goes there at once.
    for (let at = port; at !== end; ) {
      const next = this.#next.get(at) ?? end
      this.#next.set(at, end)
      at = next
    }
    return end
  }
}
