import { booleanFilter, type Filters } from '@ctr/api'
import { matchesLabel } from '../container/query.ts'
import type { Engine } from '../engine.ts'
import { matchesAny } from '../go-regexp.ts'
import type { Volume } from './registry.ts'

type Deps = Pick<Engine, 'volumes' | 'containers'>

export const VOLUME_FILTERS = ['dangling', 'driver', 'label', 'name'] as const

/** NOT_FOUND. */
export function getVolume(engine: Pick<Engine, 'volumes'>, name: string): Volume {
  return engine.volumes.get(name)
}

/** By name. INVALID_ARGUMENT for an impossible value. */
export function listVolumes(engine: Deps, filters: Filters): Volume[] {
  const dangling = booleanFilter(filters, 'dangling')
  const names = filters.get('name') ?? []
  const hasName = matchesAny(names)
  const labels = filters.get('label') ?? []
  const drivers = filters.get('driver') ?? []
  return engine.volumes
    .all()
    .filter((volume) => dangling === undefined || dangling === isDangling(engine, volume))
    .filter(({ name }) => names.length === 0 || hasName(name))
    .filter((volume) => labels.every((label) => matchesLabel(volume.labels, label)))
    .filter(({ driver }) => drivers.length === 0 || drivers.includes(driver))
}

/** No container mounts it. */
function isDangling(engine: Deps, volume: Volume): boolean {
  return engine.containers.volumeUsers(volume.name).length === 0
}
