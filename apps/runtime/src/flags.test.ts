import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Flag, parseFlags } from './flags.ts'

const FLAGS: readonly Flag[] = [
  { names: ['bundle', 'b'], kind: 'text', help: '' },
  { names: ['all', 'a'], kind: 'bool', help: '' },
  { names: ['env', 'e'], kind: 'list', help: '' },
  { names: ['count'], kind: 'number', help: '' },
]

it('takes one dash or two, = or the next word, and short names', () => {
  for (const argv of [['--bundle', 'x'], ['-bundle', 'x'], ['--bundle=x'], ['-b=x'], ['-b', 'x']]) {
    assert.equal(parseFlags(FLAGS, argv, true).flags.text('bundle'), 'x', argv.join(' '))
  }
  assert.equal(parseFlags(FLAGS, ['-b='], true).flags.text('bundle'), '')
  assert.deepEqual(parseFlags(FLAGS, ['-e', 'A=1', '-e', 'B=2=3'], true).flags.list('env'), [
    'A=1',
    'B=2=3',
  ])
})

it('finds flags behind arguments where it is told to, and nothing behind --', () => {
  const mixed = parseFlags(FLAGS, ['id', '-a', 'KILL'], true)
  assert.deepEqual([mixed.args, mixed.flags.bool('all')], [['id', 'KILL'], true])
  const strict = parseFlags(FLAGS, ['-a', 'id', 'ls', '-a', '--nosuch'], false)
  assert.deepEqual(strict.args, ['id', 'ls', '-a', '--nosuch'])
  assert.deepEqual(parseFlags(FLAGS, ['--', '-a'], true).args, ['-a'])
})

it('refuses what it does not know', () => {
  assert.throws(() => parseFlags(FLAGS, ['--nosuch'], true), /flag provided but not defined/)
  assert.throws(() => parseFlags(FLAGS, ['--bundle'], true), /needs an argument/)
  assert.throws(
    () => parseFlags(FLAGS, ['--count', 'x'], true),
    /invalid value "x" for flag -count/,
  )
  assert.throws(() => parseFlags(FLAGS, ['--all=maybe'], true), /invalid value/)
  assert.equal(parseFlags(FLAGS, ['--all=false'], true).flags.bool('all'), false)
})
