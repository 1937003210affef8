import type { Engine } from '../engine.ts'
import type { NewEvent } from '../events.ts'
import { volumeEvent } from '../volume/volume-event.ts'
import type { ContainerRecord } from './container.ts'

/** An event of a container: its labels, image and name come along, as in Docker. */
export function containerEvent(
  container: Pick<ContainerRecord, 'id' | 'name' | 'config' | 'imageReference'>,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): NewEvent {
  return {
    type: 'container',
    action,
    actorId: container.id,
    attributes: {
      ...container.config.Labels,
      image: container.imageReference,
      name: container.name,
      ...attributes,
    },
  }
}

export function mountEvents(
  engine: Pick<Engine, 'volumes'>,
  container: ContainerRecord,
  action: 'mount' | 'unmount',
): NewEvent[] {
  return container.mounts.flatMap((mount) => {
    const volume = mount.type === 'volume' ? engine.volumes.find(mount.name ?? '') : undefined
    if (volume === undefined) return []
    const details = {
      destination: mount.destination,
      propagation: mount.propagation,
      'read/write': String(!mount.readOnly),
    }
    return [
      volumeEvent(volume, action, {
        container: container.id,
        ...(action === 'mount' ? details : {}),
      }),
    ]
  })
}

export function networkEvent(
  engine: Pick<Engine, 'networks'>,
  container: Pick<ContainerRecord, 'id'>,
  endpoint: { readonly networkId: string; readonly networkName: string },
  action: 'connect' | 'disconnect',
): NewEvent {
  const driver = engine.networks.find(endpoint.networkId)?.driver ?? 'bridge'
  return {
    type: 'network',
    action,
    actorId: endpoint.networkId,
    attributes: { container: container.id, name: endpoint.networkName, type: driver },
  }
}
