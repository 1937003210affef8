import { directorySize } from '../directory-size.ts'
import type { Engine } from '../engine.ts'
import { writtenDirectory } from './root-directory.ts'

export interface ContainerSizes {
  /** What the container has written. */
  readonly sizeRw: number
  /** With its image. */
  readonly sizeRootFs: number
}

/** Walks the container's layer: slow where that is large. */
export async function containerSize(
  engine: Pick<Engine, 'containers' | 'images'>,
  reference: string,
): Promise<ContainerSizes> {
  const { upperDir, imageId, hostConfig } = engine.containers.get(reference)
  if (writtenDirectory(hostConfig) !== undefined) return { sizeRw: 0, sizeRootFs: 0 }
  const sizeRw = await directorySize(upperDir)
  return { sizeRw, sizeRootFs: sizeRw + (engine.images.find(imageId)?.size ?? 0) }
}
