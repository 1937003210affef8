import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import type { EndpointPlan } from '@ctr/network'
import {
  compileRestore,
  type Program,
  type RestoreInput,
  ShimError,
  type StartInput,
} from '@ctr/shim'
import {
  criuEnvironment,
  encodeRestore,
  loadDescriptors,
  loadMounts,
  readCriuErrors,
  restoreArguments,
  restoreHint,
} from '@ctr/shim/criu'
import type { ContainerRecord } from '../container/container.ts'
import type { Engine } from '../engine.ts'
import { findCheckpoint } from './directory.ts'
import { findEngineCriu } from './find-criu.ts'
import { type CheckpointMetadata, type NetworkAddress, readMetadata } from './metadata.ts'

/** `start --checkpoint NAME [--checkpoint-dir DIR]`. */
export interface CheckpointReference {
  readonly name: string
  readonly directory: string
}

/** A checkpoint that a start goes on from. */
export interface Restore {
  readonly metadata: CheckpointMetadata
  readonly program: (input: StartInput, endpoints: readonly EndpointPlan[]) => Program
  /** In criu's words, if it was criu. */
  readonly explain: (error: unknown) => unknown
}

/** NOT_FOUND, INVALID_ARGUMENT, UNAVAILABLE: nothing has been done then. */
export async function prepareRestore(
  engine: Engine,
  container: ContainerRecord,
  { name, directory }: CheckpointReference,
  runtimeDir: string,
): Promise<Restore> {
  const imagesDir = findCheckpoint(engine, container, directory, name, `/${container.name}`)
  const metadata = readMetadata(imagesDir)
  const criu = await findEngineCriu(engine)
  const request = {
    ...metadata,
    imagesDir,
    workDir: runtimeDir,
    descriptors: loadDescriptors(imagesDir),
  }
  const env = Object.entries(criuEnvironment()).map(([key, value]) => `${key}=${value}`)
  const restore: RestoreInput = {
    args: restoreArguments(criu, request),
    env,
    request: (files) => encodeRestore(request, files),
    pidFile: join(runtimeDir, 'restored.pid'),
    mounts: loadMounts(imagesDir),
    afterwards: [],
  }
  return {
    metadata,
    program: (input, endpoints) => {
      if (!metadata.tcpEstablished) return compileRestore(input, restore, engine.host)
      assertAddresses(metadata, endpoints)
      return compileRestore(...pluggedLater(input, restore, endpoints), engine.host)
    },
    explain: (error) => {
      if (!(error instanceof ShimError) || error.op !== 'restore') return error
      const log = join(container.config.Tty === true ? imagesDir : runtimeDir, 'restore.log')
      const reason = (readCriuErrors(log) || error.detail) + restoreHint(criu, engine.host.kernel)
      return new EngineError('INTERNAL', `criu failed: type RESTORE: ${reason}`, { cause: error })
    },
  }
}

/**
 * While criu works, the connections have no sockets: a packet that came then would be answered with a reset. So the
 * host's ends of the links go up when it has ended.
 */
function pluggedLater(
  input: StartInput,
  restore: RestoreInput,
  endpoints: readonly EndpointPlan[],
): [StartInput, RestoreInput] {
  const { network } = input
  const unplug = endpoints.flatMap((endpoint) => endpoint.plugOps(false))
  return [
    { ...input, network: { ...network, hostOps: [...network.hostOps, ...unplug] } },
    { ...restore, afterwards: endpoints.flatMap((endpoint) => endpoint.plugOps(true)) },
  ]
}

/** CONFLICT: a connection cannot go on from another address. */
function assertAddresses(metadata: CheckpointMetadata, endpoints: readonly EndpointPlan[]): void {
  const now = new Set(endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4?.address, ipv6?.address]))
  const lost = metadata.addresses
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
    .find((address) => address !== '' && !now.has(address))
  if (lost === undefined) return
  throw new EngineError(
    'CONFLICT',
    `the checkpoint has established connections, but the container cannot have its address ${lost} again`,
  )
}

/** The addresses that the container had, by network. */
export function addressesByNetwork(
  metadata: CheckpointMetadata | undefined,
): ReadonlyMap<string, NetworkAddress> {
  return new Map((metadata?.addresses ?? []).map((one) => [one.network, one]))
}
