import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ApiResponse, requires } from '@ctr/testkit'
import { jsonDifferences, shapeDifferences } from './json-difference.ts'
import { isKnownCall, unknownFields } from './known-differences.ts'
import { Lane, reasonNoReference, reference } from './lane.ts'
import { normalise } from './normalise.ts'
import { type ApiCall, CALLS } from './requests.ts'

/** Every call of requests.ts of dockerd and of ctrd: status, error message, and the shape of JSON documents. */
const skip = requires({ root: true, commands: ['docker', 'unshare', 'ip'] }) || reasonNoReference()

describe('every call', () => {
  const lanes: Lane[] = []

  before(async () => {
    if (skip !== false) return
    lanes.push(
      ...(await Lane.startAll([
        ['dockerd', 'docker'],
        ['ctrd', 'docker'],
      ])),
    )
    for (const lane of lanes) {
      const { code, stderr } = await lane.shell(
        "docker run --name done --network none busybox sh -c 'echo out; echo err >&2'",
      )
      assert.equal(code, 0, stderr)
    }
  })

  after(async () => {
    await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()))
  })

  for (const call of CALLS) {
    const title = `${call.method} ${call.path}${call.body === undefined ? '' : ` ${JSON.stringify(call.body)}`}`
    test(title, { skip }, async () => {
      const [expected, actual] = await Promise.all(lanes.map((lane) => answer(lane, call)))
      assert.ok(expected !== undefined && actual !== undefined)
      const differences = compare(call, expected, actual)
      const known = isKnownCall(title)
      if (known === undefined) assert.deepEqual(differences, [])
      else
        assert.notDeepEqual(differences, [], `gone, take it out of known-differences.ts: ${known}`)
    })
  }
})

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

async function answer(lane: Lane, call: ApiCall): Promise<Answer> {
  const path = call.path.startsWith('/v1.') ? call.path : `/v${reference.apiVersion}${call.path}`
  const response: ApiResponse = await lane.daemon.request(call.method, path, call.body)
  const type = String(response.headers['content-type'] ?? 'none').split(';')[0] ?? ''
  return { status: response.status, type, text: messageOf(normalise(response.text, lane.texts)) }
}

/** The text of an error. With a capital or not: that has changed from version to version. */
function messageOf(text: string): string {
  const message = /^\{"message":(".*")\}\s*$/.exec(text)?.[1]
  if (message === undefined) return text
  return String(JSON.parse(message))
    .trim()
    .replace(/(^|: )[A-Z]/g, (letter) => letter.toLowerCase())
}

function compare(call: ApiCall, expected: Answer, actual: Answer): string[] {
  // dockerd 20.10 has 500 for much that is the client's fault, and for which later versions have 400, 404 or 409.
  if (expected.status === 500 && actual.status >= 400 && actual.status < 500) return []
  if (expected.status !== actual.status) {
    return [`status ${expected.status} → ${actual.status}: ${expected.text} → ${actual.text}`]
  }
  if (call.compare === 'status') return []
  const types = expected.type === actual.type ? [] : [`${expected.type} → ${actual.type}`]
  const isText = call.compare === 'text' || expected.status >= 400
  // A stream of documents may hold none.
  if (isText || expected.type !== 'application/json' || expected.text === '') {
    return expected.text === actual.text ? types : [...types, expected.text, actual.text]
  }
  const documents = [JSON.parse(expected.text), JSON.parse(actual.text)] as const
  const differences = call.compare === 'json' ? jsonDifferences : shapeDifferences
  return [...types, ...unknownFields(differences(...documents), 'daemons')]
}
