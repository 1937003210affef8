import type { ImageSummary } from '@ctr/images'
import type { Container } from './container/container.ts'
import { view } from './container/query.ts'
import { type ContainerSizes, containerSize } from './container/size.ts'
import { directorySize } from './directory-size.ts'
import type { Engine } from './engine.ts'
import type { Volume } from './volume/registry.ts'

export interface DiskUsage {
  /** All unpacked layers, each once. */
  readonly layersBytes: number
  readonly images: readonly {
    readonly image: ImageSummary
    readonly containers: number
    /** Of layers that another image has, too. */
    readonly sharedBytes: number
  }[]
  readonly containers: readonly { readonly container: Container; readonly sizes: ContainerSizes }[]
  readonly volumes: readonly {
    readonly volume: Volume
    readonly users: number
    readonly sizeBytes: number
  }[]
}

/** Walks volumes and what containers have written: slow where there is much. */
export async function diskUsage(engine: Engine): Promise<DiskUsage> {
  const containers = engine.containers.all()
  const images = engine.images.list()
  const shared = engine.images.sharedSizes(images.map(({ id }) => id))
  return {
    layersBytes: engine.images.layersBytes(),
    images: images.map((image) => ({
      image,
      sharedBytes: shared.get(image.id) ?? 0,
      containers: containers.filter((container) => container.imageId === image.id).length,
    })),
    containers: await Promise.all(
      containers.map(async (container) => ({
        container: view(engine, container),
        sizes: await containerSize(engine, container.id),
      })),
    ),
    volumes: await Promise.all(
      engine.volumes.all().map(async (volume) => ({
        volume,
        users: engine.containers.volumeUsers(volume.name).length,
        sizeBytes: await directorySize(volume.mountpoint),
      })),
    ),
  }
}
