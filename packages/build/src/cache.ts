import type { Engine } from '@ctr/engine'
import type { Image } from '@ctr/images'
import type { ImageExecConfig, ImageHistoryItem } from '@ctr/oci'

/** An image that a step would make. */
export interface WantedImage {
  readonly parentId: string | undefined
  readonly createdBy: string
  readonly config: ImageExecConfig
  readonly author: string
}

type Deps = Pick<Engine, 'images'>

/** What earlier builds have made. A step that has to be done ends it for the rest of its stage. */
export class BuildCache {
  readonly #engine: Deps
  readonly #isOff: boolean
  /** Of `cachefrom`: what else than local children may be taken. */
  readonly #sources: readonly Image[]
  #isBroken = false

  constructor(
    engine: Deps,
    options: { readonly isOff: boolean; readonly from: readonly string[] },
  ) {
    this.#engine = engine
    this.#isOff = options.isOff
    this.#sources = options.from.flatMap((reference) => engine.images.find(reference) ?? [])
  }

  beginStage(): void {
    this.#isBroken = false
  }

  /** The id of an image as it is wanted. */
  async find(wanted: WantedImage): Promise<string | undefined> {
    if (this.#isOff || this.#isBroken) return undefined
    const found = this.#local(wanted) ?? (await this.#restored(wanted))
    if (found === undefined) this.#isBroken = true
    return found
  }

  #local(wanted: WantedImage): string | undefined {
    const config = canonical(wanted.config)
    const parent =
      wanted.parentId === undefined ? undefined : this.#engine.images.find(wanted.parentId)
    const steps = (parent?.config.history ?? []).length + 1
    return this.#engine.images.children(wanted.parentId).find((image) => {
      const { history = [] } = image.config
      return (
        history.length === steps &&
        history.at(-1)?.created_by === wanted.createdBy &&
        (image.config.author ?? '') === wanted.author &&
        canonical(image.config.config ?? {}) === config
      )
    })?.id
  }

  /** A step of an image that came from elsewhere: without its parents, but with the history and the layers of them. */
  async #restored(wanted: WantedImage): Promise<string | undefined> {
    const { images } = this.#engine
    const parent = wanted.parentId === undefined ? undefined : images.find(wanted.parentId)
    const before = parent?.config.history ?? []
    const layers = parent?.config.rootfs.diff_ids ?? []
    for (const { id, config } of this.#sources) {
      const { history = [] } = config
      const step = history[before.length]
      if (step?.created_by !== wanted.createdBy) continue
      if (!isBeginning(before.map(stepOf), history.map(stepOf))) continue
      if (!isBeginning(layers, config.rootfs.diff_ids)) continue
      const isWhole =
        history.length === before.length + 1 &&
        canonical(config.config ?? {}) === canonical(wanted.config)
      if (isWhole) return id
      const diffId = config.rootfs.diff_ids[layers.length]
      const hasLayer = step.empty_layer !== true
      if (hasLayer && diffId === undefined) continue
      const changes =
        hasLayer && diffId !== undefined
          ? ({ kind: 'layer', diffId } as const)
          : ({ kind: 'none' } as const)
      return await images.commit({
        parentId: wanted.parentId,
        changes,
        config: wanted.config,
        author: wanted.author,
        comment: '',
        createdBy: wanted.createdBy,
      })
    }
    return undefined
  }
}

/** When it was made says nothing. */
function stepOf(item: ImageHistoryItem): readonly unknown[] {
  return [item.created_by ?? '', item.empty_layer === true]
}

function isBeginning(beginning: readonly unknown[], list: readonly unknown[]): boolean {
  return beginning.every((item, index) => canonical(item) === canonical(list[index]))
}

/** The same text for the same document, whatever the order of its fields. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  )
}
