import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startRegistry } from './registry.ts'
import { requires } from './requires.ts'

const skip = requires({ commands: ['docker-registry'] })
const provided = process.env['CTR_TEST_REGISTRY']
delete process.env['CTR_TEST_REGISTRY']
after(() => {
  if (provided !== undefined) process.env['CTR_TEST_REGISTRY'] = provided
})

test('a registry answers on its address and has gone after disposal', { skip }, async () => {
  let url: string
  {
    await using registry = await startRegistry()
    url = `http://${registry.address}/v2/`
    assert.equal((await fetch(url)).status, 200)
  }
  await assert.rejects(fetch(url))
})

test('a registry that the environment names is shared and stays', { skip }, async () => {
  await using own = await startRegistry()
  process.env['CTR_TEST_REGISTRY'] = own.address
  {
    await using shared = await startRegistry()
    assert.equal(shared.address, own.address)
    await using locked = await startRegistry({ htpasswd: 'user:unused' })
    assert.notEqual(locked.address, own.address)
  }
  delete process.env['CTR_TEST_REGISTRY']
  assert.equal((await fetch(`http://${own.address}/v2/`)).status, 200)
})
