import type { Volume } from '@ctr/api'
import type { Volume as EngineVolume } from '@ctr/engine'
import { rfc3339Seconds } from '../../time.ts'

/** Anonymous volumes carry this label since v1.43 of the API: `volume prune` and compose look for it. */
const ANONYMOUS_LABEL = 'com.docker.volume.anonymous'

export function renderVolume(volume: EngineVolume): Volume {
  const labels = volume.isAnonymous ? { [ANONYMOUS_LABEL]: '', ...volume.labels } : volume.labels
  return {
    CreatedAt: rfc3339Seconds(volume.createdAtNs),
    Driver: volume.driver,
    Labels: emptyAsNull(labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: emptyAsNull(volume.options),
    Scope: 'local',
  }
}

function emptyAsNull(map: Readonly<Record<string, string>>): Record<string, string> | null {
  return Object.keys(map).length === 0 ? null : { ...map }
}
