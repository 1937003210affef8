import { booleanFilter, type Filters } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { ImageDeps } from './deps.ts'
import { type Image, type ImageSummary, readNames, sizeOf, toImage } from './image.ts'
import { getImageRow } from './lookup.ts'
import { parsePointInTimeNs } from './point-in-time.ts'

export interface ListOptions {
  /** Also images without a name that others were made from. */
  all?: boolean
  /** dangling, label, before, since, reference, until. */
  filters?: Filters
}

/** Images, newest first. Throws INVALID_ARGUMENT for a filter's value, NOT_FOUND for before and since. */
export function listImages(deps: ImageDeps, options: ListOptions = {}): ImageSummary[] {
  const filters = options.filters ?? new Map()
  const isDangling = booleanFilter(filters, 'dangling')
  const matches = compileMatches(deps, filters)
  const patterns = filters.get('reference') ?? []
  const names = readNames(deps.table)
  const rows = deps.table.images()
  const parents = new Set(rows.map((row) => row.parent))
  return rows.flatMap((row) => {
    const image = toImage(deps, row, names)
    if (!matches.every((match) => match(image))) return []
    const hasName = image.repoTags.length + image.repoDigests.length > 0
    if (!hasName && parents.has(row.id) && options.all !== true) return []
    if (isDangling !== undefined && isDangling !== (image.repoTags.length === 0)) return []
    if (patterns.length === 0) return [toSummary(image)]
    const repoTags = image.repoTags.filter((name) => matchesReference(patterns, name))
    const repoDigests = image.repoDigests.filter((name) => matchesReference(patterns, name))
    if (repoTags.length + repoDigests.length === 0) return []
    return [{ ...toSummary(image), repoTags, repoDigests }]
  })
}

/** Bytes of each image's layers that another one of them has, too. Unknown images are left out. */
export function sharedSizes(
  { table }: Pick<ImageDeps, 'table'>,
  imageIds: readonly string[],
): Map<string, number> {
  const users = new Map<number, number>()
  const stacks = imageIds.flatMap((id) => {
    const row = table.image(id)
    return row === undefined ? [] : [{ id, layers: table.layerStack(row.topLayer) }]
  })
  for (const { layers } of stacks) {
    for (const layer of layers) users.set(layer.id, (users.get(layer.id) ?? 0) + 1)
  }
  return new Map(
    stacks.map(({ id, layers }) => [
      id,
      sizeOf(layers.filter((layer) => (users.get(layer.id) ?? 0) > 1)),
    ]),
  )
}

/** `label`, `label!`, `until`, `before`, `since`: what looks at the image alone. */
export function compileMatches(deps: ImageDeps, filters: Filters): ((image: Image) => boolean)[] {
  const matches: ((image: Image) => boolean)[] = []
  for (const label of filters.get('label') ?? []) {
    matches.push((image) => hasLabel(image, label))
  }
  const unwanted = filters.get('label!') ?? []
  if (unwanted.length > 0) {
    matches.push((image) => !unwanted.every((label) => hasLabel(image, label)))
  }
  for (const until of filters.get('until') ?? []) {
    const ns = parsePointInTimeNs(until)
    matches.push((image) => image.createdAtNs < ns)
  }
  for (const ref of filters.get('before') ?? []) {
    const { createdAtNs } = getImageRow(deps.table, ref)
    matches.push((image) => image.createdAtNs < createdAtNs)
  }
  for (const ref of filters.get('since') ?? []) {
    const { createdAtNs } = getImageRow(deps.table, ref)
    matches.push((image) => image.createdAtNs > createdAtNs)
  }
  return matches
}

function hasLabel(image: Image, filter: string): boolean {
  const equals = filter.indexOf('=')
  const labels = image.config.config?.Labels ?? {}
  const key = equals === -1 ? filter : filter.slice(0, equals)
  if (!Object.hasOwn(labels, key)) return false
  return equals === -1 || labels[key] === filter.slice(equals + 1)
}

/** A shell pattern for the whole name, or for its repository. reference.FamiliarMatch of distribution */
function matchesReference(patterns: readonly string[], name: string): boolean {
  const repository = name.replace(/(?:@.*|:[^/:]*)$/, '')
  return patterns.some((pattern) => {
    const steps = parsePattern(pattern)
    return isMatch(steps, name) || isMatch(steps, repository)
  })
}

/** What one character has to be; `isMany`: any number of them. */
interface Step {
  readonly character: RegExp
  readonly isMany: boolean
}

/** Go's path.Match: `*` and `?` stop at a slash, `[…]`, `\\x`. */
function parsePattern(pattern: string): Step[] {
  const parts = /\\(.)|\*|\?|\[(\^?)((?:\\.|[^\]\\])+)\]|[\s\S]/g
  return Array.from(pattern.matchAll(parts), ([part, escaped, not, set]) => {
    if (escaped !== undefined) return step(RegExp.escape(escaped))
    if (part === '*') return step('[^/]', true)
    if (part === '?') return step('[^/]')
    if (set !== undefined) {
      return step(`[${not === '^' ? '^' : ''}${set.replace(/[[&~]/g, '\\$&')}]`)
    }
    if (part === '[' || part === '\\') {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `invalid filter 'reference=${pattern}': syntax error in pattern`,
      )
    }
    return step(RegExp.escape(part))
  })
}

function step(source: string, isMany = false): Step {
  return { character: new RegExp(`^${source}$`), isMany }
}

/** All ways at once: a regular expression of many stars tries them one after the other, for ever. */
function isMatch(steps: readonly Step[], text: string): boolean {
  let places = withSkipped(steps, [0])
  for (const character of text.split('')) {
    const next = [...places].flatMap((place) => {
      const at = steps[place]
      if (at === undefined || !at.character.test(character)) return []
      return [at.isMany ? place : place + 1]
    })
    places = withSkipped(steps, next)
  }
  return places.has(steps.length)
}

/** Any number may be none. */
function withSkipped(steps: readonly Step[], places: readonly number[]): Set<number> {
  const all = new Set(places)
  // Grows while it is gone through.
  for (const place of all) if (steps[place]?.isMany === true) all.add(place + 1)
  return all
}

function toSummary(image: Image): ImageSummary {
  return {
    id: image.id,
    parentId: image.parentId,
    repoTags: image.repoTags,
    repoDigests: image.repoDigests,
    createdAtNs: image.createdAtNs,
    size: image.size,
    labels: image.config.config?.Labels ?? {},
  }
}
