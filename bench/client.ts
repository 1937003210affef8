import { command } from './shell.ts'

/** What client.c has measured. */
export interface Traffic {
  /** Of all clients together. */
  readonly ms: number
  /** Of the engine meanwhile; NaN where it is not known. */
  readonly cpuMs: number
  /** Of each request, in their order. */
  readonly requests: readonly { median: number; least: number; most: number }[]
}

export interface TrafficOptions {
  /** Side by side, each with a connection of its own. Default: 1. */
  readonly clients?: number
  /** How often each of them sends all requests. Default: 1. */
  readonly times?: number
}

/** What client.c needs of an engine. */
interface Server {
  readonly socket: string
  readonly cpu: { readonly usage: string }
}

/** Sends requests by client.c and measures them. Fails at the first answer with a status from 400 on. */
export type Drive = (
  server: Server,
  requests: readonly string[],
  options?: TrafficOptions,
) => Promise<Traffic>

/** A request as client.c takes it; what `{Id}` and `{n}` in it stand for is said there. */
export function request(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): string {
  return body === undefined ? `${method} ${path}` : `${method} ${path} ${JSON.stringify(body)}`
}

/** `binary` is the compiled client.c. */
export function driver(binary: string): Drive {
  return async ({ socket, cpu }, requests, { clients = 1, times = 1 } = {}) => {
    const text = await command([binary, socket, `${clients}`, `${times}`, cpu.usage, ...requests])
    const [[ms = Number.NaN, cpuMs = Number.NaN] = [], ...rest] = text
      .split('\n')
      .map((line) => line.split(' ').map(Number))
    return {
      ms,
      cpuMs,
      requests: rest.map(([median = Number.NaN, least = Number.NaN, most = Number.NaN]) => ({
        median,
        least,
        most,
      })),
    }
  }
}
