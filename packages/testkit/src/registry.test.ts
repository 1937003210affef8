import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRegistry } from './registry.ts'
import { requires } from './requires.ts'

const skip = requires({ commands: ['docker-registry'] })

test('a registry answers on its address and has gone after disposal', { skip }, async () => {
  let url: string
  {
    await using registry = await startRegistry()
    url = `http://${registry.address}/v2/`
    assert.equal((await fetch(url)).status, 200)
  }
  await assert.rejects(fetch(url))
})
