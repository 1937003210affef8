import { readFileSync, statSync } from 'node:fs'
import { nameserversOf } from '../resolv-conf.ts'

/** The host's resolvers, read again when the file has changed. Those on the host's loopback serve us as well. */
export class HostServers {
  readonly #path: string
  #version = ''
  #servers = nameserversOf('')

  constructor(path: string) {
    this.#path = path
  }

  get(): readonly string[] {
    try {
      const { ino, mtimeNs, size } = statSync(this.#path, { bigint: true })
      const version = `${ino} ${mtimeNs} ${size}`
      if (version !== this.#version) {
        this.#servers = nameserversOf(readFileSync(this.#path, 'utf8'))
        this.#version = version
      }
    } catch {
      // A host may do without the file, and it may be missing while it is being replaced.
    }
    return this.#servers
  }
}
