import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

// What the documents name is there: files, and scripts of npm. CHANGELOG.md tells of what was.
const root = join(import.meta.dirname, '..')
const files = globSync('**/*.*', {
  cwd: root,
  exclude: ['**/node_modules', '.build', '.git', 'bin', 'packages/shim/native/build'],
})
const documents = files.filter((path) => path.endsWith('.md') && path !== 'CHANGELOG.md')

/** Placeholders of "where things go". */
const isPattern = (path: string): boolean => /[{}*<>]|NNNN|\bfoo\b/.test(path)

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name)
}

/** From the document's folder, or from the top. */
function isThere(document: string, path: string): boolean {
  return existsSync(join(root, dirname(document), path)) || existsSync(join(root, path))
}

for (const document of documents) {
  const text = readFileSync(join(root, document), 'utf8')

  test(`${document} names files that are there`, () => {
    const links = found(text, /\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)
    const paths = found(
      text,
      /`((?:packages|apps|test|docs|scripts|bench|examples|native|src)\/[\w./{}*<>-]+)`/g,
    )
    const missing = [...links, ...paths].filter(
      (path) => !isPattern(path) && !isThere(document, path),
    )
    const names = found(text, /`([\w-]+\.(?:ts|c|h|sh|mjs))`/g).filter(
      (name) => !isPattern(name) && !files.some((path) => path.endsWith(`/${name}`)),
    )
    assert.deepEqual([...missing, ...names], [])
  })

  test(`${document} names scripts that package.json has`, () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const missing = found(text, /npm run ([\w:]+)/g).filter((name) => !(name in scripts))
    assert.deepEqual(missing, [])
  })
}
