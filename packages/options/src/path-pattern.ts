/** What one character of a path has to be. `isMany`: any number of them. */
interface Step {
  readonly is: (character: string) => boolean
  readonly isMany: boolean
  /** How many steps further it may go on without a character. */
  readonly skips: readonly number[]
}

const ANY = (): boolean => true
const NO_SLASH = (character: string): boolean => character !== '/'
const DEEP: Step = { is: ANY, isMany: true, skips: [1] }
const STAR: Step = { is: NO_SLASH, isMany: true, skips: [1] }
const ONE: Step = { is: NO_SLASH, isMany: false, skips: [] }
/** Before directories with their slash, which may be missing. */
const MAYBE_DEEP: Step = { is: () => false, isMany: false, skips: [1, 3] }

/**
 * Go's filepath.Match (`*`, `?`, `[a-z]`, `\x`; none of them is a slash), and with `isDeep` also `**` for any number of directories, as in
 * .dockerignore. All ways are tried at once: a regular expression of many stars would try them one after the other, for ever.
 */
export function compilePathPattern(
  pattern: string,
  options: { readonly isDeep: boolean },
): (path: string) => boolean {
  const steps = readSteps(pattern, options.isDeep)
  return (path) => {
    let places = withSkipped(steps, [0])
    for (const character of path) {
      const next: number[] = []
      for (const place of places) {
        const step = steps[place]
        if (step?.is(character) === true) next.push(step.isMany ? place : place + 1)
      }
      if (next.length === 0) return false
      places = withSkipped(steps, next)
    }
    return places.has(steps.length)
  }
}

/** A pattern that has nothing but itself to match. */
export function isPathPattern(path: string): boolean {
  return /[*?[]/.test(path)
}

/** Throws SyntaxError. */
function readSteps(pattern: string, isDeep: boolean): Step[] {
  const steps: Step[] = []
  const parts = /\\([\s\S])|\*\*\/?|\*|\?|\[(\^?)((?:\\[\s\S]|[^\]\\])+)\]|[\s\S]/gu
  for (const [part, escaped, not, set] of pattern.matchAll(parts)) {
    if (escaped !== undefined) steps.push(exactly(escaped))
    else if (part === '?') steps.push(ONE)
    else if (part === '*' || (part.startsWith('**') && !isDeep)) {
      steps.push(STAR)
      if (part.endsWith('/')) steps.push(exactly('/'))
    } else if (part === '**/') steps.push(MAYBE_DEEP, DEEP, exactly('/'))
    else if (part === '**') steps.push(DEEP)
    else if (set !== undefined) {
      steps.push({ is: oneOf(set, not === '^'), isMany: false, skips: [] })
    } else if (part === '[' || part === '\\') throw new SyntaxError('syntax error in pattern')
    else steps.push(exactly(part))
  }
  return steps
}

function exactly(wanted: string): Step {
  return { is: (character) => character === wanted, isMany: false, skips: [] }
}

function oneOf(set: string, isNegative: boolean): (character: string) => boolean {
  const ranges = [...set.matchAll(/(?:\\([\s\S])|([\s\S]))(?:-(?:\\([\s\S])|([^\\])))?/gu)].map(
    ([, a, b, c, d]) => {
      const from = a ?? b ?? ''
      return { from, to: c ?? d ?? from }
    },
  )
  return (character) =>
    character !== '/' &&
    ranges.some(({ from, to }) => character >= from && character <= to) !== isNegative
}

function withSkipped(steps: readonly Step[], places: readonly number[]): Set<number> {
  const all = new Set(places)
  // Grows while it is gone through.
  for (const place of all) for (const skip of steps[place]?.skips ?? []) all.add(place + skip)
  return all
}
