import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDockerignore } from './dockerignore.ts'
import { compilePathPattern } from './path-pattern.ts'

const CASES: readonly [rules: string, ignored: readonly string[], kept: readonly string[]][] = [
  ['a', ['a', 'a/b'], ['b', 'b/a', 'ab']],
  ['/a/', ['a', 'a/b'], ['b/a']],
  ['*.md\n!README.md', ['x.md'], ['README.md', 'd/x.md', 'x.mdx']],
  ['**/x', ['x', 'a/x', 'a/b/x', 'a/x/y'], ['ax', 'a/xx']],
  ['a/**', ['a/b', 'a/b/c'], ['b']],
  ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['a/bz', 'z']],
  ['**/*.o', ['x.o', 'a/x.o'], ['x.oo']],
  ['a?c', ['abc'], ['ac', 'a/c']],
  ['[a-c]x', ['ax', 'cx'], ['dx']],
  ['[^a]x', ['bx'], ['ax']],
  ['a\n!a/b\na/b/c', ['a', 'a/x', 'a/b/c'], ['a/b', 'a/b/d']],
  ['# comment\n\n  spaced  ', ['spaced'], ['# comment']],
  ['.', ['.'], ['a']],
  ['*', ['a', '.git', 'a/b'], []],
  ['a/../b', ['b'], ['a']],
]
for (const [rules, ignored, kept] of CASES) {
  test(`${JSON.stringify(rules)} decides`, () => {
    const rule = parseDockerignore(rules)
    for (const path of ignored) assert.equal(rule.ignores(path), true, `${path} stays out`)
    for (const path of kept) assert.equal(rule.ignores(path), false, `${path} comes along`)
  })
}

test('a pattern that is none is told', () => {
  assert.throws(() => parseDockerignore('a[b'), /"a\[b": syntax error in pattern/)
})

test('a pattern of many stars takes no longer than others', () => {
  const matches = compilePathPattern(`${'a*'.repeat(50)}b`, { isDeep: true })
  assert.equal(matches('a'.repeat(2000)), false)
})

test('without directories two stars are one', () => {
  const matches = compilePathPattern('**/x', { isDeep: false })
  assert.equal(matches('a/x'), true)
  assert.equal(matches('a/b/x'), false)
  assert.equal(matches('x'), false)
})
