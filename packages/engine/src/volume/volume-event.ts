import type { NewEvent } from '../events.ts'
import type { Volume } from './registry.ts'

export function volumeEvent(
  volume: Volume,
  action: 'create' | 'destroy' | 'mount' | 'unmount' | 'prune',
  attributes: Readonly<Record<string, string>> = {},
): NewEvent {
  return {
    type: 'volume',
    action,
    actorId: volume.name,
    attributes: { driver: volume.driver, ...attributes },
  }
}
