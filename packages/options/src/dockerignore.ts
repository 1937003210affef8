import { posix } from 'node:path'
import { compilePathPattern } from './path-pattern.ts'

/** Whether a path of a build context (without a leading slash) stays out of it. */
export interface Ignores {
  ignores(path: string): boolean
  /** Something below an ignored directory may be wanted after all: there are exceptions (`!`). */
  readonly hasExceptions: boolean
}

/** Reads a .dockerignore: the last pattern that matches the path, or a directory it is in, decides. SyntaxError. */
export function parseDockerignore(text: string): Ignores {
  const rules = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => !line.startsWith('#') && line.trim() !== '')
    .map((line) => readRule(line.trim()))
  return {
    hasExceptions: rules.some((rule) => rule.isException),
    ignores: (path) => {
      const prefixes = prefixesOf(path)
      let isIgnored = false
      for (const { isException, matches } of rules) {
        if (isException === isIgnored && prefixes.some(matches)) isIgnored = !isException
      }
      return isIgnored
    },
  }
}

interface Rule {
  readonly isException: boolean
  readonly matches: (path: string) => boolean
}

function readRule(line: string): Rule {
  const isException = line.startsWith('!')
  const path = posix.normalize((isException ? line.slice(1) : line).trim())
  const pattern = path.replace(/^\/+(?=.)/, '').replace(/(.)\/$/, '$1')
  try {
    return { isException, matches: compilePathPattern(pattern, { isDeep: true }) }
  } catch (cause) {
    throw new SyntaxError(
      `error checking context: ${JSON.stringify(line)}: syntax error in pattern`,
      {
        cause,
      },
    )
  }
}

/** `a`, `a/b`, `a/b/c`. */
function prefixesOf(path: string): string[] {
  const names = path.split('/')
  return names.map((_, index) => names.slice(0, index + 1).join('/'))
}
