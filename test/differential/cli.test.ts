import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { requires } from '@ctr/testkit'
import { jsonDifferences, jsonDocuments } from './json-difference.ts'
import { type KnownDifference, knownDifference, unknownFields } from './known-differences.ts'
import { type Answer, Lane, notVersion, reasonNoReference } from './lane.ts'
import { withoutProduct } from './normalise.ts'

/**
 * Every line of commands.txt on three lanes: docker on dockerd, docker on ctrd, ctr on ctrd. The first two compare the daemons,
 * the last two the clients: exit status, stdout, stderr.
 */
const lines = readFileSync(new URL('commands.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))

const skip = requires({ root: true, commands: ['docker', 'unshare', 'ip'] })
const skipDaemons = skip || reasonNoReference()
const skipClients = skip || (await notVersion('docker', 28))

const SKIPS = { docker: skip, reference: skipDaemons, ctr: skipClients }
const LANES = {
  docker: ['ctrd', 'docker'],
  reference: ['dockerd', 'docker'],
  ctr: ['ctrd', 'ctr'],
} as const

describe('every command', { concurrency: false }, () => {
  const lanes: Partial<Record<keyof typeof LANES, Lane | undefined>> = {}
  const answers = { reference: pending(), docker: pending(), ctr: pending() }

  before(async () => {
    if (skip) return
    const names = (['docker', 'reference', 'ctr'] as const).filter((name) => !SKIPS[name])
    const started = await Lane.startAll(names.map((name) => LANES[name]))
    for (const [index, name] of names.entries()) lanes[name] = started[index]
    for (const name of ['reference', 'docker', 'ctr'] as const) {
      const lane = lanes[name]
      if (lane !== undefined) void runAll(lane, answers[name])
    }
  })

  after(async () => {
    await Promise.all(Object.values(lanes).map(async (lane) => lane?.[Symbol.asyncDispose]()))
  })

  for (const [index, line] of lines.entries()) {
    test(`ctrd answers as dockerd: ${line}`, { skip: skipDaemons }, async () => {
      const [expected, actual] = await Promise.all([
        answers.reference[index]?.promise,
        answers.docker[index]?.promise,
      ])
      compare(line, 'daemons', actual, expected)
    })
    test(`ctr answers as docker: ${line}`, { skip: skipClients }, async () => {
      const [expected, actual] = await Promise.all([
        answers.docker[index]?.promise,
        answers.ctr[index]?.promise,
      ])
      compare(line, 'clients', mapAnswer(actual), mapAnswer(expected))
    })
  }
})

function pending(): PromiseWithResolvers<Answer>[] {
  return lines.map(() => Promise.withResolvers<Answer>())
}

async function runAll(lane: Lane, answers: readonly PromiseWithResolvers<Answer>[]): Promise<void> {
  for (const [index, line] of lines.entries()) {
    const slot = answers[index]
    slot?.promise.catch(() => undefined) // the test of this line reports it
    await lane.answer(line).then(slot?.resolve, slot?.reject)
  }
}

function mapAnswer(answer: Answer | undefined): Answer | undefined {
  if (answer === undefined) return undefined
  return {
    code: answer.code,
    stdout: withoutProduct(answer.stdout),
    stderr: withoutProduct(answer.stderr),
  }
}

function compare(
  line: string,
  between: KnownDifference['between'],
  actual: Answer | undefined,
  expected: Answer | undefined,
): void {
  assert.ok(actual !== undefined && expected !== undefined)
  const known = knownDifference(line, between)
  const documents = [jsonDocuments(expected.stdout), jsonDocuments(actual.stdout)] as const
  if (known !== undefined) {
    assert.notDeepEqual(
      actual,
      expected,
      `gone, take it out of known-differences.ts: ${known.reason}`,
    )
  } else if (documents[0] !== undefined && documents[1] !== undefined) {
    assert.deepEqual({ ...actual, stdout: '' }, { ...expected, stdout: '' })
    assert.deepEqual(unknownFields(jsonDifferences(...documents), between), [])
  } else {
    assert.deepEqual(actual, expected)
  }
}
