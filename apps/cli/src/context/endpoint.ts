import { readFileSync } from 'node:fs'
import { parseHost } from '@ctr/client'
import { messageOf } from '@ctr/errdefs'
import { parseCsv } from '@ctr/options'
import { ExitError } from '../command.ts'
import type { ContextStore, StoredContext, TlsFile } from './store.ts'

export interface Endpoint {
  readonly docker: NonNullable<StoredContext['Endpoints']['docker']>
  /** Absent: as before. */
  readonly tls?: Partial<Record<TlsFile, Buffer>>
}

const FILES: Readonly<Record<string, TlsFile>> = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' }

/** `--docker host=tcp://h:2376,ca=FILE,cert=FILE,key=FILE,skip-tls-verify=true` or `from=CONTEXT`. */
export function parseEndpoint(text: string, store: ContextStore): Endpoint {
  try {
    return endpoint(settings(text), store)
  } catch (error) {
    throw new ExitError(
      1,
      `unable to create docker endpoint config: unable to apply docker endpoint options: ${messageOf(error)}`,
    )
  }
}

function endpoint(given: ReadonlyMap<string, string>, store: ContextStore): Endpoint {
  const from = given.get('from')
  if (from !== undefined) {
    return { docker: store.get(from).Endpoints.docker ?? {}, tls: store.tls(from) }
  }
  const host = given.get('host') ?? ''
  if (host !== '') parseHost(host)
  const tls: Partial<Record<TlsFile, Buffer>> = {}
  for (const [name, file] of Object.entries(FILES)) {
    const path = given.get(name)
    if (path !== undefined) tls[file] = readFileSync(path)
  }
  const skip = given.get('skip-tls-verify')
  return { docker: { Host: host, SkipTLSVerify: skip === 'true' || skip === '1' }, tls }
}

function settings(text: string): Map<string, string> {
  const result = new Map<string, string>()
  for (const field of parseCsv(text)) {
    const equals = field.indexOf('=')
    const name = equals < 0 ? field : field.slice(0, equals)
    if (!['from', 'host', 'skip-tls-verify', ...Object.keys(FILES)].includes(name)) {
      throw new Error(`unrecognized config key: ${name}`)
    }
    result.set(name, equals < 0 ? '' : field.slice(equals + 1))
  }
  return result
}
