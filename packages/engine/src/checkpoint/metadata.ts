import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError, isErrno } from '@ctr/errdefs'
import { parseForeignJson } from '@ctr/oci'

/** What a restore must know beside criu's images; written before them. */
export interface CheckpointMetadata {
  readonly version: 1
  readonly containerId: string
  /** RFC 3339. */
  readonly created: string
  readonly criuVersion: string
  readonly tcpEstablished: boolean
  readonly fileLocks: boolean
  /** Absent in older ones: no. */
  readonly extUnixSockets?: boolean
  /** The network namespace was the container's own, or another container's. */
  readonly hasNetwork: boolean
  /** The container's addresses by network; its connections know them. */
  readonly addresses: readonly NetworkAddress[]
}

export interface NetworkAddress {
  readonly network: string
  readonly ipv4: string
  readonly ipv6: string
}

const FILE = 'checkpoint.json'

export function writeMetadata(directory: string, metadata: CheckpointMetadata): void {
  writeFileSync(join(directory, FILE), JSON.stringify(metadata), { mode: 0o600 })
}

/** criu writes it when all other images are there, and ends the processes after that. criu/cr-dump.c, cr_dump_tasks */
const LAST_IMAGE = 'inventory.img'

/** The images are complete. */
export function isDumped(directory: string): boolean {
  return existsSync(join(directory, LAST_IMAGE))
}

/** INVALID_ARGUMENT for what is no complete checkpoint of ours: it may come from anywhere. */
export function readMetadata(directory: string): CheckpointMetadata {
  try {
    const value = parseForeignJson(readFileSync(join(directory, FILE)))
    if (isMetadata(value) && isDumped(directory)) return value
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !(error instanceof SyntaxError)) throw error
  }
  throw new EngineError('INVALID_ARGUMENT', `${directory} is not a complete checkpoint of ctr`)
}

function isMetadata(value: unknown): value is CheckpointMetadata {
  if (typeof value !== 'object' || value === null) return false
  const {
    version,
    tcpEstablished,
    fileLocks,
    extUnixSockets = false,
    hasNetwork,
    addresses,
  } = value as Partial<Record<keyof CheckpointMetadata, unknown>>
  return (
    version === 1 &&
    [tcpEstablished, fileLocks, extUnixSockets, hasNetwork].every(
      (one) => typeof one === 'boolean',
    ) &&
    Array.isArray(addresses) &&
    addresses.every(isAddress)
  )
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { network, ipv4, ipv6 } = value as Partial<Record<keyof NetworkAddress, unknown>>
  return [network, ipv4, ipv6].every((one) => typeof one === 'string')
}
