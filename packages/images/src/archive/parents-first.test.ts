import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from '@ctr/oci'
import { parentsFirst } from './parents-first.ts'

const image = (name: string, parent?: string): { config: Buffer; parent: string | undefined } => ({
  config: Buffer.from(name),
  parent: parent === undefined ? undefined : digestOf(Buffer.from(parent)),
})
const order = (...images: ReturnType<typeof image>[]): string =>
  parentsFirst(images)
    .map(({ config }) => config.toString())
    .join(' ')

test('parents come before their children, the rest stays in its order', () => {
  assert.equal(order(image('c', 'b'), image('x'), image('b', 'a'), image('a')), 'a b c x')
  assert.equal(order(image('b'), image('a'), image('c', 'gone')), 'b a c')
})

test('a ring of parents is no endless line', () => {
  assert.equal(order(image('a', 'b'), image('b', 'a')), 'b a')
  assert.equal(order(image('a', 'a')), 'a')
})
