import { readFileSync } from 'node:fs'
import type { TlsOptions } from 'node:tls'
import { EngineError } from '@ctr/errdefs'
import type { TlsFiles } from '../config/hosts.ts'

/** Reads certificate, key and authority. Throws INVALID_ARGUMENT naming the file. */
export function readTls({ cert, key, ca }: TlsFiles): TlsOptions {
  return {
    cert: read('certificate', cert),
    key: read('key', key),
    minVersion: 'TLSv1.2',
    ...(ca === undefined
      ? {}
      : { ca: read('CA certificate', ca), requestCert: true, rejectUnauthorized: true }),
  }
}

function read(what: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const message = `could not read the TLS ${what}: ${(error as Error).message}`
    throw new EngineError('INVALID_ARGUMENT', message, { cause: error })
  }
}
