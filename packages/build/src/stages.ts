import { invalid } from '@ctr/errdefs'

/** What the stages of a build have become, by name and number; '' while there is no image. */
export class BuiltStages {
  readonly #images: string[] = []
  readonly #byName = new Map<string, number>()

  /** Of a stage that begins. */
  assertNameFree(name: string): void {
    if (this.#byName.has(name)) throw invalid(`${name} stage name already used`)
  }

  add(name: string, imageId: string): void {
    if (name !== '') this.#byName.set(name, this.#images.length)
    this.#images.push(imageId)
  }

  named(name: string): string | undefined {
    const index = this.#byName.get(name.toLowerCase())
    return index === undefined ? undefined : this.#images[index]
  }

  /** By name or number; undefined: it is none, but maybe an image. */
  find(text: string): string | undefined {
    const named = this.named(text)
    if (named !== undefined || !/^-?[0-9]+$/.test(text)) return named
    if (Number(text) === this.#images.length) {
      throw invalid(`invalid from flag value ${text}: refers to current build stage`)
    }
    const image = this.#images[Number(text)]
    if (image === undefined) throw invalid(`invalid from flag value ${text}: index out of bounds`)
    return image
  }
}
