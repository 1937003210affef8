import { digestOf } from '@ctr/oci'
import type { ArchivedImage } from './document.ts'

/** In their order, but an image's parent, if it is one of them, before the image: it is looked up when the image comes. */
export function parentsFirst<T extends Pick<ArchivedImage, 'config' | 'parent'>>(
  images: readonly T[],
): T[] {
  const byId = new Map(images.map((image) => [digestOf(image.config) as string, image]))
  const ordered = new Set<T>()
  for (const image of images) {
    const line = [image]
    let parent = byId.get(image.parent ?? '')
    // An archive may say that images are each other's parents.
    while (parent !== undefined && !ordered.has(parent) && !line.includes(parent)) {
      line.push(parent)
      parent = byId.get(parent.parent ?? '')
    }
    for (const each of line.toReversed()) ordered.add(each)
  }
  return [...ordered]
}
