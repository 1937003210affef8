import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const repository = join(import.meta.dirname, '..')

test('the tests that docs/capabilities.md names are there', () => {
  const table = readFileSync(join(repository, 'docs/capabilities.md'), 'utf8')
  const rows = [...table.matchAll(/^\| (\S+) \| [^|]+ \| `([^`]+)` \| (.+) \|$/gm)]
  assert.ok(rows.length > 100, `${rows.length} rows`)
  const missing = rows
    .filter(([, , file = '', title = '']) => {
      return !readFileSync(join(repository, file), 'utf8').includes(title)
    })
    .map(([row]) => row)
  assert.deepEqual(missing, [])
})
