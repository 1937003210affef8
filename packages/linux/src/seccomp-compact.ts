/**
 * A seccomp filter that decides the same with fewer instructions. libseccomp's has a comparison and a jump for each call
 * that a profile names, in each architecture; here the calls with the same answer are ranges in a binary tree. The kernel
 * translates a filter at each start of a container, instruction by instruction.
 */
export function compactFilter(filter: Buffer): Buffer {
  const code = decode(filter)
  const words = wordsCompared(code)
  if (words === undefined) return filter
  const architectures = boundaries(code, words, DATA_ARCH)
  const numbers = boundaries(code, words, DATA_NR)
  const byArchitecture = ranges(architectures, (arch) =>
    ranges(numbers, (nr) => follow(code, arch, nr)),
  )
  const decisions = [
    { code: LOAD_WORD, jt: 0, jf: 0, k: DATA_ARCH },
    ...tree(byArchitecture, (byNumber): Item[] => [
      ...(byNumber.length === 1 ? [] : [{ code: LOAD_WORD, jt: 0, jf: 0, k: DATA_NR }]),
      ...numberTree(byNumber),
    ]),
  ]
  const compact = link(decisions, code)
  return compact.length < code.length ? encode(compact) : filter
}

/** struct sock_filter. linux/filter.h */
interface Instruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

const LOAD_WORD = 0x20
const AND = 0x54
const JUMP = 0x05
const JUMP_EQUAL = 0x15
const JUMP_GREATER = 0x25
const JUMP_GREATER_EQUAL = 0x35
const JUMP_BITS = 0x45
const RETURN = 0x06
/** Offsets in struct seccomp_data; behind them are the instruction pointer and the arguments. */
const DATA_NR = 0
const DATA_ARCH = 4
const INSTRUCTION_BYTES = 8
const JUMP_MAX = 255
const NUMBERS_END = 0x1_0000_0000

/** Where execution may go on. Undefined: an instruction that is not understood. */
function successors({ code, jt, jf, k }: Instruction, at: number): number[] | undefined {
  switch (code) {
    case RETURN:
      return []
    case JUMP:
      return [at + 1 + k]
    case LOAD_WORD:
    case AND:
      return [at + 1]
    case JUMP_EQUAL:
    case JUMP_GREATER:
    case JUMP_GREATER_EQUAL:
    case JUMP_BITS:
      return [at + 1 + jt, at + 1 + jf]
    default:
      return undefined
  }
}

/** What each instruction may find in the accumulator: offsets of words. Jumps lead forward only, so one pass does. */
function wordsCompared(code: readonly Instruction[]): readonly Set<number>[] | undefined {
  const words = code.map(() => new Set<number>())
  for (const [at, instruction] of code.entries()) {
    const next = successors(instruction, at)
    if (next === undefined) return undefined
    const after = instruction.code === LOAD_WORD ? [instruction.k] : [...(words[at] ?? [])]
    for (const target of next) for (const word of after) words[target]?.add(word)
  }
  return words
}

/** 0, and every value from which on a comparison with the word may turn out differently. */
function boundaries(
  code: readonly Instruction[],
  words: readonly Set<number>[],
  word: number,
): number[] {
  const found = new Set([0])
  for (const [at, { code: op, k }] of code.entries()) {
    if (words[at]?.has(word) !== true) continue
    if (op !== JUMP_GREATER && k < NUMBERS_END) found.add(k)
    if (op !== JUMP_GREATER_EQUAL && k + 1 < NUMBERS_END) found.add(k + 1)
  }
  return [...found].sort((a, b) => a - b)
}

/**
 * What a filter says of a call as far as number and architecture decide: an answer, or the place from which on it looks
 * at other things.
 */
type Outcome = { readonly answer: number } | { readonly resumeAt: number }

function follow(code: readonly Instruction[], arch: number, nr: number): Outcome {
  let accumulator: number | undefined
  let loadedAt = 0
  for (let at = 0; ; at++) {
    const { code: op, k, jt, jf } = needInstruction(code, at)
    if (op === RETURN) return { answer: k }
    if (op === JUMP) {
      at += k
    } else if (op === LOAD_WORD) {
      loadedAt = at
      if (k !== DATA_NR && k !== DATA_ARCH) return { resumeAt: at }
      accumulator = k === DATA_NR ? nr : arch
    } else {
      // Of words that are taken apart there is nothing to be known in ranges.
      if (op === AND || op === JUMP_BITS || accumulator === undefined) return { resumeAt: loadedAt }
      at += compares(op, accumulator, k) ? jt : jf
    }
  }
}

function compares(op: number, value: number, k: number): boolean {
  if (op === JUMP_EQUAL) return value === k
  return op === JUMP_GREATER ? value > k : value >= k
}

/** From `from` up to where the next range begins. */
interface Range<T> {
  readonly from: number
  readonly value: T
}

/** Neighbours with equal values are one range. */
function ranges<T>(starts: readonly number[], valueAt: (start: number) => T): Range<T>[] {
  const found: Range<T>[] = []
  let last = ''
  for (const from of starts) {
    const value = valueAt(from)
    const text = JSON.stringify(value)
    if (text !== last) found.push({ from, value })
    last = text
  }
  return found
}

/** A place of the original filter stands for a jump to it. */
type Item = Instruction | { readonly resumeAt: number }

/** Finds the range of the accumulator. */
function tree<T>(all: readonly Range<T>[], leafOf: (value: T) => Item[]): Item[] {
  const [first] = all
  if (first === undefined) throw new RangeError('no ranges')
  if (all.length === 1) return leafOf(first.value)
  const { below, above, k } = halves(all)
  return fork(k, tree(below, leafOf), tree(above, leafOf))
}

function halves<T>(all: readonly Range<T>[]): { below: Range<T>[]; above: Range<T>[]; k: number } {
  const middle = Math.floor(all.length / 2)
  return { below: all.slice(0, middle), above: all.slice(middle), k: all[middle]?.from ?? 0 }
}

function fork(k: number, below: readonly Item[], above: readonly Item[]): Item[] {
  const isNear = below.length <= JUMP_MAX
  const test = { code: JUMP_GREATER_EQUAL, jt: isNear ? below.length : 0, jf: isNear ? 0 : 1, k }
  const far = { code: JUMP, jt: 0, jf: 0, k: below.length }
  return [test, ...(isNear ? [] : [far]), ...below, ...above]
}

/** So few ranges that each of their tests can jump to the outcomes behind the last one. */
const BLOCK_MAX = 120

function numberTree(all: readonly Range<Outcome>[]): Item[] {
  if (all.length > BLOCK_MAX) {
    const { below, above, k } = halves(all)
    return fork(k, numberTree(below), numberTree(above))
  }
  const tests: Test[] = []
  const outcomes = new Map<string, Outcome>()
  plantTests(all, tests, outcomes)
  const keys = [...outcomes.keys()]
  const distance = (target: number | string, from: number): number =>
    (typeof target === 'number' ? target : tests.length + keys.indexOf(target)) - from - 1
  return [
    ...tests.map(({ code, k, yes, no }, at) => ({
      code,
      jt: distance(yes, at),
      jf: distance(no, at),
      k,
    })),
    ...[...outcomes.values()].map(answerItem),
  ]
}

/** `yes` and `no` are the place of another test, or the key of an outcome. */
interface Test {
  readonly code: number
  readonly k: number
  yes: number | string
  no: number | string
}

function plantTests(
  all: readonly Range<Outcome>[],
  tests: Test[],
  outcomes: Map<string, Outcome>,
): number | string {
  const [first, second, third] = all
  if (first === undefined) throw new RangeError('no ranges')
  const key = outcomeKey(first.value, outcomes)
  if (second === undefined) return key
  const place = tests.length
  const isHole =
    all.length === 3 && third?.from === second.from + 1 && key === JSON.stringify(third.value)
  if (isHole) {
    const yes = outcomeKey(second.value, outcomes)
    tests.push({ code: JUMP_EQUAL, k: second.from, yes, no: key })
    return place
  }
  const { below, above, k } = halves(all)
  const test: Test = { code: JUMP_GREATER_EQUAL, k, yes: '', no: '' }
  tests.push(test)
  test.no = plantTests(below, tests, outcomes)
  test.yes = plantTests(above, tests, outcomes)
  return place
}

function outcomeKey(outcome: Outcome, outcomes: Map<string, Outcome>): string {
  const key = JSON.stringify(outcome)
  outcomes.set(key, outcome)
  return key
}

function answerItem(outcome: Outcome): Item {
  return 'answer' in outcome ? { code: RETURN, jt: 0, jf: 0, k: outcome.answer } : outcome
}

/** Puts what is resumed of the original filter behind the decisions. Some of it is left out, so its jumps get shorter only. */
function link(decisions: readonly Item[], code: readonly Instruction[]): Instruction[] {
  const entries = decisions.flatMap((item) => ('resumeAt' in item ? [item.resumeAt] : []))
  const kept = reachable(code, entries)
  const places = new Map(kept.map((at, index) => [at, decisions.length + index]))
  const placeOf = (at: number): number => places.get(at) ?? 0
  const head = decisions.map((item, index) => {
    if (!('resumeAt' in item)) return item
    return { code: JUMP, jt: 0, jf: 0, k: placeOf(item.resumeAt) - index - 1 }
  })
  const tail = kept.map((at) => {
    const instruction = needInstruction(code, at)
    const { code: op, jt, jf, k } = instruction
    const distance = (target: number): number => placeOf(target) - placeOf(at) - 1
    if (op === JUMP) return { ...instruction, k: distance(at + 1 + k) }
    if (op === RETURN || op === LOAD_WORD || op === AND) return instruction
    return { ...instruction, jt: distance(at + 1 + jt), jf: distance(at + 1 + jf) }
  })
  return [...head, ...tail]
}

/** In their order. */
function reachable(code: readonly Instruction[], entries: readonly number[]): number[] {
  const found = new Set(entries)
  // What is added while this runs is visited, too.
  for (const at of found) {
    for (const next of successors(needInstruction(code, at), at) ?? []) found.add(next)
  }
  return [...found].sort((a, b) => a - b)
}

/** The kernel takes no filter that could run over its end. */
function needInstruction(code: readonly Instruction[], at: number): Instruction {
  const instruction = code[at]
  if (instruction === undefined) throw new RangeError(`the filter has no instruction ${at}`)
  return instruction
}

function decode(filter: Buffer): Instruction[] {
  return Array.from({ length: filter.length / INSTRUCTION_BYTES }, (_, index) => {
    const at = index * INSTRUCTION_BYTES
    return {
      code: filter.readUInt16LE(at),
      jt: filter.readUInt8(at + 2),
      jf: filter.readUInt8(at + 3),
      k: filter.readUInt32LE(at + 4),
    }
  })
}

function encode(code: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(code.length * INSTRUCTION_BYTES)
  code.forEach(({ code: op, jt, jf, k }, index) => {
    const at = index * INSTRUCTION_BYTES
    bytes.writeUInt16LE(op, at)
    bytes.writeUInt8(jt, at + 2)
    bytes.writeUInt8(jf, at + 3)
    bytes.writeUInt32LE(k, at + 4)
  })
  return bytes
}
