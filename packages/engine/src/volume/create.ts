import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@ctr/errdefs'
import type { Engine } from '../engine.ts'
import type { Volume } from './registry.ts'
import { volumeEvent } from './volume-event.ts'

export interface VolumeRequest {
  /** Empty: a name is made up and the volume is anonymous. */
  readonly name?: string
  readonly driver?: string
  readonly options?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
}

/** In a volume's directory while its row is coming or going: recovery may delete such a directory if it has no row, and no other. */
export const PENDING_MARK = '.pending'

/** Idempotent: an existing volume is given back; CONFLICT when the driver options differ. */
export async function createVolume(
  engine: Pick<Engine, 'volumes' | 'events' | 'clock' | 'queues' | 'config'>,
  request: VolumeRequest,
): Promise<Volume> {
  const volume = newVolume(engine, request)
  return engine.queues.run(`volume ${volume.name}`, async () => {
    const existing = engine.volumes.find(volume.name)
    if (existing !== undefined) {
      assertSameOptions(existing, volume)
      return existing
    }
    makeVolumeDirectory(engine, volume)
    engine.events.commit('durable', () => {
      engine.volumes.insert(volume)
      engine.events.add(volumeEvent(volume, 'create'))
    })
    finishVolumeDirectory(engine, volume)
    return volume
  })
}

/** The value only; validates name, driver and options. */
export function newVolume(
  engine: Pick<Engine, 'volumes' | 'clock'>,
  request: VolumeRequest,
): Volume {
  const isAnonymous = (request.name ?? '') === ''
  const name = isAnonymous ? randomBytes(32).toString('hex') : (request.name ?? '')
  const driver = request.driver ?? ''
  if (driver !== '' && driver !== 'local') {
    throw new EngineError(
      'NOT_FOUND',
      `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    )
  }
  if (name.length === 1) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `create ${name}: volume name is too short, names should be at least two alphanumeric characters`,
    )
  }
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) || Buffer.byteLength(name) > 255) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    )
  }
  const options = request.options ?? {}
  validateOptions(name, options)
  return {
    name,
    driver: 'local',
    labels: request.labels ?? {},
    options,
    isAnonymous,
    createdAtNs: engine.clock.nowNs(),
    mountpoint: engine.volumes.mountpoint(name),
  }
}

/** The options of Docker's local driver: what mount(8) would be told. */
function validateOptions(name: string, options: Readonly<Record<string, string>>): void {
  for (const key of Object.keys(options)) {
    if (!['type', 'device', 'o'].includes(key)) {
      throw new EngineError('INVALID_ARGUMENT', `create ${name}: invalid option: "${key}"`)
    }
  }
  if (Object.keys(options).length === 0) return
  const hasDevice = (options['device'] ?? '') !== ''
  const isBind = (options['o'] ?? '').split(',').some((word) => word === 'bind' || word === 'rbind')
  if (!hasDevice || ((options['type'] ?? '') === '' && !isBind)) {
    const missing = hasDevice ? 'type' : 'device'
    throw new EngineError(
      'INVALID_ARGUMENT',
      `create ${name}: missing required option: "${missing}"`,
    )
  }
}

export function assertSameOptions(existing: Volume, wanted: Volume): void {
  if (Object.keys(wanted.options).length === 0) return
  if (JSON.stringify(sorted(existing.options)) === JSON.stringify(sorted(wanted.options))) return
  throw new EngineError(
    'CONFLICT',
    `create ${existing.name}: conflict: volume already exists with different options`,
  )
}

function sorted(options: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1))
}

/**
 * Before the row. It appears with its mark, by a rename: a crash leaves it marked, or in tmp/. At once, as all that is done to a
 * volume's directory: the way to a thread and back takes longer than each of these calls.
 */
export function makeVolumeDirectory(
  engine: Pick<Engine, 'volumes' | 'config'>,
  volume: Volume,
): void {
  const directory = engine.volumes.directory(volume.name)
  const staging = join(engine.config.dataRoot, 'tmp', `volume-${randomUUID()}`)
  try {
    mkdirSync(join(staging, '_data'), { recursive: true })
    // Whatever the engine's umask is.
    chmodSync(join(staging, '_data'), 0o755)
    chmodSync(staging, 0o701)
    writeFileSync(join(staging, PENDING_MARK), '')
    renameSync(staging, directory)
  } catch (cause) {
    rmSync(staging, { recursive: true, force: true })
    throw new EngineError('INTERNAL', `create ${volume.name}: cannot make ${directory}`, { cause })
  }
}

/** After the row. */
export function finishVolumeDirectory(engine: Pick<Engine, 'volumes'>, volume: Volume): void {
  rmSync(join(engine.volumes.directory(volume.name), PENDING_MARK), { force: true })
}
