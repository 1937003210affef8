import type { ImageDeps } from './deps.ts'
import { type Image, readNames, toImage } from './image.ts'

/** Images that were made from one; without one those that were made from none. Newest first. */
export function imageChildren(
  deps: Pick<ImageDeps, 'table' | 'paths'>,
  imageId: string | undefined,
): Image[] {
  const { table } = deps
  const rows =
    imageId === undefined
      ? table.images().filter(({ parent }) => parent === null)
      : table.imageChildren(imageId)
  const names = readNames(table)
  return rows
    .map((row) => toImage(deps, row, names))
    .sort((a, b) => (a.createdAtNs < b.createdAtNs ? 1 : a.createdAtNs > b.createdAtNs ? -1 : 0))
}
