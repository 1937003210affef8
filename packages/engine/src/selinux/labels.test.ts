import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isEngineError } from '@ctr/errdefs'
import { newId } from '@ctr/oci'
import { categoriesOf, planLabels, relabelTo, sharedLabel } from './labels.ts'

const CONTEXTS = {
  process: 'system_u:system_r:container_t:s0',
  file: 'system_u:object_r:container_file_t:s0',
}

// go-selinux label.InitLabels
const ROWS: readonly [options: string[], process: string, mount: string][] = [
  [[], 'system_u:system_r:container_t:s0:c1,c2', 'system_u:object_r:container_file_t:s0:c1,c2'],
  [
    ['type:svirt_apache_t'],
    'system_u:system_r:svirt_apache_t:s0:c1,c2',
    'system_u:object_r:container_file_t:s0:c1,c2',
  ],
  [
    ['level:s0:c100,c200', 'user:staff_u', 'role:staff_r'],
    'staff_u:staff_r:container_t:s0:c100,c200',
    'staff_u:object_r:container_file_t:s0:c100,c200',
  ],
  [
    ['filetype:mine_t'],
    'system_u:system_r:container_t:s0:c1,c2',
    'system_u:object_r:mine_t:s0:c1,c2',
  ],
  [['disable'], '', 'system_u:object_r:container_file_t:s0:c1022,c1023'],
]

for (const [options, process, mount] of ROWS) {
  test(`labels with ${options.join(' ') || 'nothing said'}`, () => {
    assert.deepEqual(planLabels(CONTEXTS, options, [1, 2]), { process, mount })
  })
}

test('a policy without levels gets none', () => {
  const contexts = { process: 'u:r:box_t', file: 'u:r:file_t' }
  assert.deepEqual(planLabels(contexts, [], [1, 2]), { process: 'u:r:box_t', mount: 'u:r:file_t' })
  assert.equal(planLabels(contexts, ['disable'], [1, 2]).mount, 'u:r:file_t')
})

test('words that are no label options are refused', () => {
  for (const option of ['odd', 'color:red', ':x']) {
    assert.throws(
      () => planLabels(CONTEXTS, [option], [1, 2]),
      (error) => isEngineError(error, 'INVALID_ARGUMENT') && error.message.includes(option),
    )
  }
})

test('categories come from the id: two, in order, the same again', () => {
  for (let i = 0; i < 2000; i++) {
    const id = newId()
    const [low, high] = categoriesOf(id)
    assert.ok(low >= 0 && low < high && high < 1024, `${id} ${low} ${high}`)
    assert.ok(low !== 1022, 'those of privileged containers')
    assert.deepEqual(categoriesOf(id), [low, high])
  }
})

test('z is for all containers, Z for this one, and neither for the directories of the host', () => {
  const labels = planLabels(CONTEXTS, [], [1, 2])
  assert.equal(relabelTo('Z', '/data', labels), labels.mount)
  assert.equal(relabelTo('ro,z', '/data', labels), 'system_u:object_r:container_file_t:s0')
  assert.equal(sharedLabel('u:r:file_t'), 'u:r:file_t')
  assert.equal(relabelTo('ro', '/data', labels), undefined)
  assert.equal(relabelTo('', '/', labels), undefined)
  for (const source of ['/', '/etc', '/usr', '/var/log']) {
    assert.throws(() => relabelTo('z', source, labels), /relabeling of .* is not allowed/)
  }
  assert.equal(relabelTo('Z', '/etc', { process: '', mount: '' }), undefined)
})
