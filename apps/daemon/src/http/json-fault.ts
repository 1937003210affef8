/**
 * What Go's encoding/json says about a document that is none: clients and their tests know the words. For bytes that
 * JSON.parse has refused. encoding/json/scanner.go
 */
export function jsonFault(bytes: Uint8Array): string {
  try {
    new Scanner(bytes).run()
  } catch (error) {
    if (error instanceof Fault) return error.message
    throw error
  }
  return 'unexpected content after JSON'
}

class Fault extends Error {}

type Expected =
  | 'value'
  | 'key or end'
  | 'key'
  | 'colon'
  | 'pair end'
  | 'element or end'
  | 'element end'
  | 'nothing'

const LITERALS: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' }
const CONTROL_END = 0x20

/** One look ahead, and no recursion: a document may be nested as deep as it is long. */
class Scanner {
  readonly #bytes: Uint8Array
  readonly #open: ('{' | '[')[] = []
  #at = 0
  #expected: Expected = 'value'

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Until one document has ended. */
  run(): void {
    while (this.#expected !== 'nothing') {
      while (/[ \t\r\n]/.test(this.#peek())) this.#at += 1
      this.#step(this.#next())
    }
  }

  #step(character: string): void {
    switch (this.#expected) {
      case 'value':
        return this.#value(character)
      case 'element or end':
        return character === ']' ? this.#close() : this.#value(character)
      case 'key or end':
        return character === '}' ? this.#close() : this.#key(character)
      case 'key':
        return this.#key(character)
      case 'colon':
        if (character !== ':') throw this.#bad('after object key')
        this.#expected = 'value'
        return
      case 'pair end':
        if (character === '}') return this.#close()
        if (character !== ',') throw this.#bad('after object key:value pair')
        this.#expected = 'key'
        return
      case 'element end':
        if (character === ']') return this.#close()
        if (character !== ',') throw this.#bad('after array element')
        this.#expected = 'value'
        return
      case 'nothing':
    }
  }

  #value(character: string): void {
    if (character === '{' || character === '[') {
      this.#open.push(character)
      this.#expected = character === '{' ? 'key or end' : 'element or end'
      return
    }
    const literal = LITERALS[character]
    if (character === '"') this.#string()
    else if (literal !== undefined) this.#literal(literal)
    else if (/[-\d]/.test(character)) this.#number(character)
    else throw this.#bad('looking for beginning of value')
    this.#end()
  }

  #key(character: string): void {
    if (character !== '"') throw this.#bad('looking for beginning of object key string')
    this.#string()
    this.#expected = 'colon'
  }

  #close(): void {
    this.#open.pop()
    this.#end()
  }

  /** Of a value. */
  #end(): void {
    const outer = this.#open.at(-1)
    this.#expected = outer === undefined ? 'nothing' : outer === '{' ? 'pair end' : 'element end'
  }

  #string(): void {
    for (;;) {
      const character = this.#next()
      if (character === '"') return
      if (character.charCodeAt(0) < CONTROL_END) throw this.#bad('in string literal')
      if (character === '\\') this.#escape()
    }
  }

  #escape(): void {
    const character = this.#next()
    if (/[bfnrt\\/"]/.test(character)) return
    if (character !== 'u') throw this.#bad('in string escape code')
    for (let digit = 0; digit < 4; digit++) {
      if (!/[\da-fA-F]/.test(this.#next())) throw this.#bad('in \\u hexadecimal character escape')
    }
  }

  #literal(word: string): void {
    for (const letter of word.slice(1)) {
      if (this.#next() !== letter) throw this.#bad(`in literal ${word} (expecting '${letter}')`)
    }
  }

  #number(first: string): void {
    const digit = first === '-' ? this.#next() : first
    if (!/\d/.test(digit)) throw this.#bad('in numeric literal')
    if (digit !== '0') this.#digits()
    if (this.#peek() === '.') {
      this.#at += 1
      if (!/\d/.test(this.#next())) throw this.#bad('after decimal point in numeric literal')
      this.#digits()
    }
    if (!/[eE]/.test(this.#peek())) return
    this.#at += 1
    if (/[-+]/.test(this.#peek())) this.#at += 1
    if (!/\d/.test(this.#next())) throw this.#bad('in exponent of numeric literal')
    this.#digits()
  }

  #digits(): void {
    while (/\d/.test(this.#peek())) this.#at += 1
  }

  /** Empty at the end. Bytes, not characters, as in Go. */
  #peek(): string {
    const byte = this.#bytes[this.#at]
    return byte === undefined ? '' : String.fromCharCode(byte)
  }

  #next(): string {
    const character = this.#peek()
    if (character === '') throw new Fault('unexpected EOF')
    this.#at += 1
    return character
  }

  /** About the byte that was taken last. */
  #bad(context: string): Fault {
    const byte = this.#bytes[this.#at - 1] ?? 0
    return new Fault(`invalid character ${quoted(String.fromCharCode(byte))} ${context}`)
  }
}

function quoted(character: string): string {
  if (character === "'") return `'\\''`
  if (character === '"') return `'"'`
  return `'${JSON.stringify(character).slice(1, -1)}'`
}
