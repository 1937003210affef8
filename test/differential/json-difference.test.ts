import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonDifferences, jsonDocuments, shapeDifferences } from './json-difference.ts'

test('the order of names does not matter, a missing name does', () => {
  assert.deepEqual(jsonDifferences({ a: 1, b: [2] }, { b: [2], a: 1 }), [])
  assert.deepEqual(jsonDifferences({ a: { b: null } }, { a: {} }), [
    { path: 'a.b', expected: 'null', actual: 'absent' },
  ])
})

test('lists of one length are compared element by element', () => {
  assert.deepEqual(jsonDifferences([{ a: 1 }, { a: 2 }], [{ a: 1 }, { a: 3 }]), [
    { path: '[].a', expected: '2', actual: '3' },
  ])
})

test('a shape has types, and tells null from a list', () => {
  assert.deepEqual(shapeDifferences({ a: 'x', n: [1, 2] }, { a: 'y', n: [3] }), [])
  assert.deepEqual(shapeDifferences({ n: null }, { n: [] }), [
    { path: 'n', expected: 'null', actual: '[]' },
  ])
})

test('the shape of a list is that of all its elements', () => {
  assert.deepEqual(shapeDifferences([{ a: 1 }, { b: [] }, { b: ['x'] }], [{ b: ['y'], a: 2 }]), [])
})

test('documents are one text or one line each', () => {
  assert.deepEqual(jsonDocuments('[1,\n2]\n'), [[1, 2]])
  assert.deepEqual(jsonDocuments('{"a":1}\n{"a":2}\n'), [{ a: 1 }, { a: 2 }])
  assert.equal(jsonDocuments('ID   NAME\n'), undefined)
  assert.equal(jsonDocuments('{{.ID}}'), undefined)
})
