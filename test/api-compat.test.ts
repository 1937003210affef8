import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { requires } from '@ctr/testkit'
import { useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true })
const ctrd = useDaemon({ bridge: false })

/** `METHOD /path` → state, from the tables of docs/api-compat.md. */
function documented(): Map<string, string> {
  const text = readFileSync(`${import.meta.dirname}/../docs/api-compat.md`, 'utf8')
  const rows = text.matchAll(/^\| `([A-Z]+ \/[^`]+)`.*?\| (done|partial|refused|absent) \|/gm)
  return new Map([...rows].map(([, operation = '', state = '']) => [operation, state]))
}

async function served(): Promise<string[]> {
  const document = (await ctrd().request('GET', '/openapi.json')).json() as {
    paths: Record<string, Record<string, unknown>>
  }
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
}

test('every operation that is served is in docs/api-compat.md, and no other', {
  skip,
}, async () => {
  const operations = await served()
  const table = documented()
  const undocumented = operations.filter(
    (operation) => (table.get(operation) ?? 'absent') === 'absent',
  )
  assert.deepEqual(undocumented, [])
  const promised = [...table]
    .filter(([, state]) => state !== 'absent')
    .map(([operation]) => operation)
  assert.deepEqual(
    promised.filter((operation) => !operations.includes(operation)),
    [],
  )
})

test('what is documented as absent answers 404', { skip }, async () => {
  for (const [operation, state] of documented()) {
    if (state !== 'absent') continue
    const [method = '', path = ''] = operation.split(' ')
    const { status } = await ctrd().request(method, path.replace(/\{\w+\}/, 'x'))
    assert.ok(status === 404 || status === 405, `${operation}: ${status}`)
  }
})
