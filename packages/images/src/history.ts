import { EngineError } from '@ctr/errdefs'
import type { ImageConfig } from '@ctr/oci'
import type { ImageDeps } from './deps.ts'
import { parseTimeNs, readNames } from './image.ts'
import { getImageRow } from './lookup.ts'

export interface HistoryItem {
  /** Of an image that is here, else `<missing>`. */
  readonly id: string
  readonly createdAtNs: bigint
  readonly createdBy: string
  readonly tags: readonly string[]
  readonly size: number
  readonly comment: string
}

/** How an image was made, newest step first. */
export function imageHistory({ table }: ImageDeps, ref: string): HistoryItem[] {
  const row = getImageRow(table, ref)
  const config = JSON.parse(row.config.toString('utf8')) as ImageConfig
  const sizes = table.layerStack(row.topLayer).map((layer) => layer.size)
  const { tags } = readNames(table)
  const steps = (config.history ?? []).map((step) => {
    const size = step.empty_layer === true ? 0 : sizes.pop()
    if (size === undefined) {
      throw new EngineError('INTERNAL', 'too many non-empty layers in History section')
    }
    return { step, size }
  })
  let image: typeof row | undefined = row
  return steps.reverse().map(({ step, size }) => {
    const id = image?.id
    const names = id === undefined ? [] : (tags.get(id) ?? [])
    image = image?.parent == null ? undefined : table.image(image.parent)
    return {
      id: id ?? '<missing>',
      createdAtNs: parseTimeNs(step.created),
      createdBy: step.created_by ?? '',
      tags: names,
      size,
      comment: step.comment ?? '',
    }
  })
}
