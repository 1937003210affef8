import { invalid } from '@ctr/errdefs'
import type { Escape } from './lines.ts'

/**
 * Takes quotes off and puts in variables: `$name`, `${name}`, `${name:-word}`, `${name:+word}`, `${name:?word}`. Single quotes keep
 * everything. What is put in is not looked at again. moby …/dockerfile/shell
 */
export function expandWord(text: string, env: Variables, escape: Escape): string {
  return expand(text, env, escape).result
}

/** Of a here-document: quotes are as any other character. */
export function expandDocument(text: string, env: Variables): string {
  return expand(text, env, '\\', true).result
}

/** Of EXPOSE: what a variable holds may be several words. */
export function expandWords(text: string, env: Variables, escape: Escape): string[] {
  return expand(text, env, escape).words
}

/** Values by name. */
export type Variables = ReadonlyMap<string, string>

function expand(
  text: string,
  env: Variables,
  escape: Escape,
  hasPlainQuotes = false,
): ReturnType<Expansion['until']> {
  try {
    return new Expansion(text, env, escape, hasPlainQuotes).until(undefined)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw invalid(`failed to process ${JSON.stringify(text)}: ${error.message}`)
  }
}

/** Deeper ones than anybody writes would overflow the stack. */
const MAX_DEPTH = 100

class Expansion {
  readonly #text: string
  readonly #env: Variables
  readonly #escape: Escape
  readonly #hasPlainQuotes: boolean
  #at = 0
  #depth = 0

  constructor(text: string, env: Variables, escape: Escape, hasPlainQuotes: boolean) {
    this.#text = text
    this.#env = env
    this.#escape = escape
    this.#hasPlainQuotes = hasPlainQuotes
  }

  until(stop: string | undefined): { result: string; words: string[] } {
    let result = ''
    const words = new Words()
    for (let char = this.#peek(); char !== undefined; char = this.#peek()) {
      if (char === stop) {
        this.#at += 1
        return { result, words: words.end() }
      }
      if (!this.#hasPlainQuotes && (char === "'" || char === '"')) {
        const quoted = char === "'" ? this.#single() : this.#double()
        result += quoted
        words.addQuoted(quoted)
      } else if (char === '$') {
        const value = this.#variable()
        result += value
        words.add(value)
      } else {
        this.#at += 1
        const isEscape = char === this.#escape
        const meant = isEscape ? this.#next() : char
        if (meant === undefined) break
        result += meant
        if (isEscape) words.addQuoted(meant)
        else words.add(meant)
      }
    }
    if (stop !== undefined) {
      throw new SyntaxError(`unexpected end of statement while looking for matching ${stop}`)
    }
    return { result, words: words.end() }
  }

  #peek(): string | undefined {
    return this.#text[this.#at]
  }

  #next(): string | undefined {
    const char = this.#peek()
    this.#at += 1
    return char
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1)
    if (end === -1) throw unmatched('single-quote')
    const inside = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    return inside
  }

  #double(): string {
    this.#at += 1
    let result = ''
    for (;;) {
      const char = this.#peek()
      if (char === undefined) throw unmatched('double-quote')
      if (char === '$') {
        result += this.#variable()
        continue
      }
      this.#at += 1
      if (char === '"') return result
      const follower = this.#peek()
      const isTaken =
        char === this.#escape && (follower === '"' || follower === '$' || follower === this.#escape)
      result += isTaken ? this.#next() : char
    }
  }

  #variable(): string {
    this.#at += 1
    if (this.#peek() !== '{') {
      const name = this.#name()
      return name === '' ? '$' : (this.#env.get(name) ?? '')
    }
    this.#at += 1
    const first = this.#peek()
    if (first === undefined) throw new SyntaxError("syntax error: missing '}'")
    if ('{}:'.includes(first)) throw new SyntaxError('syntax error: bad substitution')
    const name = this.#name()
    const value = this.#env.get(name) ?? ''
    const char = this.#next()
    if (char === '}') return value
    if (char !== ':') throw new SyntaxError("missing ':' in substitution")
    const modifier = this.#next() ?? ''
    const word = this.#word()
    if (modifier === '+') return value === '' ? '' : word
    if (modifier === '-') return value === '' ? word : value
    if (modifier !== '?')
      throw new SyntaxError(`unsupported modifier (${modifier}) in substitution`)
    if (value !== '') return value
    throw new SyntaxError(`${name}: ${word === '' ? 'is not allowed to be empty' : word}`)
  }

  /** Up to the brace, with variables of its own. */
  #word(): string {
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw new SyntaxError('substitutions are too deep')
    try {
      return this.until('}').result
    } catch (error) {
      if (this.#peek() === undefined) throw new SyntaxError("syntax error: missing '}'")
      throw error
    } finally {
      this.#depth -= 1
    }
  }

  /** Letters, digits and underscores; or digits; or one special character. */
  #name(): string {
    const rest = this.#text.slice(this.#at, this.#at + MAX_NAME)
    const [name = ''] = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/.exec(rest) ?? []
    this.#at += name.length
    return name
  }
}

const MAX_NAME = 4096

function unmatched(what: string): SyntaxError {
  return new SyntaxError(`unexpected end of statement while looking for matching ${what}`)
}

/** Blanks part words, unless they are quoted. */
class Words {
  readonly #words: string[] = []
  #word = ''
  #isWord = false

  add(text: string): void {
    for (const char of text) {
      if (/\s/.test(char)) this.#close()
      else this.addQuoted(char)
    }
  }

  addQuoted(text: string): void {
    this.#word += text
    this.#isWord = true
  }

  end(): string[] {
    this.#close()
    return this.#words
  }

  #close(): void {
    if (this.#isWord) this.#words.push(this.#word)
    this.#word = ''
    this.#isWord = false
  }
}
