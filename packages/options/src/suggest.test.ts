import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, nearest } from './suggest.ts'

test('edits are counted, and neighbours that changed places are one', () => {
  assert.equal(editDistance('', 'abc'), 3)
  assert.equal(editDistance('run', 'run'), 0)
  assert.equal(editDistance('rnu', 'run'), 1)
  assert.equal(editDistance('detahc', 'detach'), 1)
  assert.equal(editDistance('kitten', 'sitting'), 3)
})

test('the nearest word is found, and nothing when none is near', () => {
  const words = ['run', 'rm', 'images', 'inspect', 'network', 'ps']
  assert.equal(nearest('rnu', words), 'run')
  assert.equal(nearest('image', words), 'images')
  assert.equal(nearest('netwrok', words), 'network')
  assert.equal(nearest('inpsetc', words), undefined)
  assert.equal(nearest('nosuch', words), undefined)
  assert.equal(nearest('x', ['y']), undefined)
  assert.equal(nearest('run', ['run']), undefined)
})
