import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { requires } from '@ctr/testkit'
import { type Answer, Lane, notVersion, reasonNoReference } from './lane.ts'
import { normalise, withoutProduct } from './normalise.ts'

/** Scripts that were written for `docker`, unchanged: docker on dockerd, docker on ctrd, and ctr under the name of docker. */
const directory = new URL('scripts/', import.meta.url)
const scripts = readdirSync(directory).toSorted()

const skip =
  requires({ root: true, commands: ['docker', 'unshare', 'ip'] }) ||
  reasonNoReference() ||
  (await notVersion('docker', 28))

describe('scripts', { concurrency: false, skip }, () => {
  let lanes: Lane[] = []
  before(async () => {
    lanes = await Lane.startAll([
      ['dockerd', 'docker'],
      ['ctrd', 'docker'],
      ['ctrd', 'ctr'],
    ])
    for (const lane of lanes) {
      const bin = `${lane.workDirectory}/bin`
      mkdirSync(bin)
      const search = `PATH=\${PATH#*:}` // else it would find itself
      writeFileSync(`${bin}/docker`, `#!/bin/sh\n${search} exec ${lane.clientCommand} "$@"\n`)
      chmodSync(`${bin}/docker`, 0o755)
    }
  })
  after(async () => {
    await Promise.all(lanes.map(async (lane) => lane[Symbol.asyncDispose]()))
  })

  for (const name of scripts) {
    test(name, async () => {
      const text = readFileSync(new URL(name, directory), 'utf8')
      const [dockerd, ctrd, ctr] = await Promise.all(lanes.map((lane) => runScript(lane, text)))
      assert.ok(dockerd !== undefined && ctrd !== undefined && ctr !== undefined)
      assert.deepEqual(withoutNewerTexts(ctrd), withoutNewerTexts(dockerd), 'the daemons')
      assert.deepEqual(withoutClient(ctr), withoutClient(ctrd), 'the clients')
    })
  }
})

async function runScript(lane: Lane, text: string): Promise<Answer> {
  writeFileSync(`${lane.workDirectory}/script`, text)
  const { code, stdout, stderr } = await lane.shell('PATH=$PWD/bin:$PATH sh script', 120_000)
  return { code, stdout: normalise(stdout, lane.texts), stderr: normalise(stderr, lane.texts) }
}

function withoutClient({ code, stdout, stderr }: Answer): Answer {
  return { code, stdout: withoutProduct(stdout), stderr: withoutProduct(stderr) }
}

/** The texts of errors are compared in commands.txt. */
function withoutNewerTexts({ code, stdout }: Answer): Pick<Answer, 'code' | 'stdout'> {
  return { code, stdout }
}
