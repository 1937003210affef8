import { invalid } from '@ctr/errdefs'

/** Where a criu page-server of another host takes the memory of a dump. */
export interface PageServer {
  readonly address: string
  readonly port: number
}

/** `address:port`, or `[v6]:port`. INVALID_ARGUMENT, in runc's words. */
export function parsePageServer(text: string): PageServer {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(.+)$/.exec(text) ?? []
  const address = bracketed ?? plain
  if (address === undefined) {
    throw invalid('Use --page-server ADDRESS:PORT to specify page server')
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw invalid('Invalid port number')
  return { address, port: Number(port) }
}
