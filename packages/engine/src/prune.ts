import type { Filters } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { matchesLabel } from './container/query.ts'
import { removeContainer } from './container/remove.ts'
import { containerSize } from './container/size.ts'
import { isRunningForUser } from './container/state.ts'
import { directorySize } from './directory-size.ts'
import type { Engine } from './engine.ts'
import { removeVolume } from './volume/remove.ts'

export interface PruneOptions {
  /** Only tells what would be removed. */
  readonly isDryRun?: boolean | undefined
  /** In a dry run: containers that would be gone by then. */
  readonly withoutContainers?: ReadonlySet<string> | undefined
}

/** Removes what does not run; one that starts meanwhile stays. */
export async function pruneContainers(
  engine: Engine,
  filters: Filters,
  o: PruneOptions = {},
): Promise<{ ids: string[]; spaceReclaimed: number }> {
  const untilNs = parseUntil(filters, engine.clock.nowNs())
  const ids: string[] = []
  let spaceReclaimed = 0
  for (const container of engine.containers.all()) {
    const { id, state, config, createdAtNs } = container
    if (isRunningForUser(state) || createdAtNs > untilNs) continue
    if (!matchesPruneLabels(config.Labels ?? {}, filters)) continue
    const { sizeRw } = await containerSize(engine, id).catch(() => ({ sizeRw: 0 }))
    if (o.isDryRun === true) {
      ids.push(id)
      spaceReclaimed += sizeRw
      continue
    }
    try {
      await removeContainer(engine, id, { force: false, volumes: false })
      ids.push(id)
      spaceReclaimed += sizeRw
    } catch (err) {
      engine.log.debug({ containerId: id, err }, 'prune')
    }
  }
  if (o.isDryRun !== true) engine.events.emit(pruneEvent('container', spaceReclaimed))
  return { ids, spaceReclaimed }
}

/** Removes volumes that no container mounts: anonymous ones, or (`all`) named ones too. */
export async function pruneVolumes(
  engine: Engine,
  options: { readonly all: boolean; readonly filters: Filters } & PruneOptions,
): Promise<{ names: string[]; spaceReclaimed: number }> {
  const names: string[] = []
  let spaceReclaimed = 0
  for (const volume of engine.volumes.all()) {
    if (!options.all && !volume.isAnonymous) continue
    if (!matchesPruneLabels(volume.labels, options.filters)) continue
    const users = engine.containers.volumeUsers(volume.name)
    if (users.some((id) => options.withoutContainers?.has(id) !== true)) continue
    const size = await directorySize(volume.mountpoint)
    if (options.isDryRun === true) {
      names.push(volume.name)
      spaceReclaimed += size
      continue
    }
    try {
      await removeVolume(engine, volume.name, { force: false })
      names.push(volume.name)
      spaceReclaimed += size
    } catch (err) {
      engine.log.debug({ volume: volume.name, err }, 'prune')
    }
  }
  if (options.isDryRun !== true) engine.events.emit(pruneEvent('volume', spaceReclaimed))
  return { names, spaceReclaimed }
}

export function pruneEvent(
  type: 'container' | 'volume' | 'image' | 'network',
  reclaimed: number,
): Parameters<Engine['events']['emit']>[0] {
  return { type, action: 'prune', actorId: '', attributes: { reclaimed: String(reclaimed) } }
}

/** `label` must all hold, `label!` none. */
function matchesPruneLabels(labels: Readonly<Record<string, string>>, filters: Filters): boolean {
  return (
    (filters.get('label') ?? []).every((label) => matchesLabel(labels, label)) &&
    !(filters.get('label!') ?? []).some((label) => matchesLabel(labels, label))
  )
}

const FAR_FUTURE_NS = 2n ** 62n
const UNITS_NS: Readonly<Record<string, number>> = {
  h: 3_600e9,
  m: 60e9,
  s: 1e9,
  ms: 1e6,
  us: 1e3,
  µs: 1e3,
  ns: 1,
}

/** `until`: what was made before. A Go duration (`1h30m`), unix seconds, or an RFC 3339 time. */
function parseUntil(filters: Filters, nowNs: bigint): bigint {
  const values = filters.get('until') ?? []
  const [text] = values
  if (text === undefined) return FAR_FUTURE_NS
  if (values.length > 1) {
    throw new EngineError('INVALID_ARGUMENT', 'more than one until filter specified')
  }
  if (/^-?(\d+(\.\d+)?(h|ms|m|us|µs|ns|s))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)/g)]
    const ns = parts.reduce(
      (sum, part) => sum + Number(part[1]) * (UNITS_NS[part[2] ?? ''] ?? 0),
      0,
    )
    return nowNs - BigInt(Math.trunc(text.startsWith('-') ? -ns : ns))
  }
  if (/^\d+(\.\d+)?$/.test(text)) return BigInt(Math.trunc(Number(text) * 1000)) * 1_000_000n
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `failed to parse value as time or duration: ${JSON.stringify(text)}`,
    )
  }
  return BigInt(ms) * 1_000_000n
}
