import assert from 'node:assert/strict'
import { test } from 'node:test'
import { givenCgroup } from './scope.ts'

const path = (CgroupParent: string): string | undefined =>
  givenCgroup({ id: 'id', hostConfig: { CgroupParent } })

test('--cgroup-parent is below the root of the hierarchies, wherever it points', () => {
  assert.equal(path(''), undefined)
  assert.equal(path('/a/b'), '/a/b/id')
  assert.equal(path('a//b/'), '/a/b/id')
  for (const parent of ['/', '..', '../../..', '/../..', 'a/../..', '/a/../../..']) {
    assert.equal(path(parent), '/id', parent)
  }
  assert.equal(path('../../a'), '/a/id')
  assert.equal(path('/a/../../b'), '/b/id')
})
