import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BuildArgs } from './build-args.ts'
import { configure, withVariables, workingDirectory } from './configure.ts'
import { parseOwner } from './owner.ts'

const NEW = { isCmdSet: false }

test('an entrypoint drops a command that was inherited', () => {
  const command = { isShell: false, words: ['x'] }
  const entrypoint = { name: 'ENTRYPOINT', command } as const
  assert.equal(configure({ Cmd: ['a'] }, entrypoint, NEW).config.Cmd, undefined)
  assert.deepEqual(configure({ Cmd: ['a'] }, entrypoint, { isCmdSet: true }).config.Cmd, ['a'])
})

test('the history has Go’s words', () => {
  const check = { Test: ['CMD-SHELL', 'x'], Interval: 90e9, Timeout: 1500e6, Retries: 3 }
  assert.equal(
    configure({}, { name: 'HEALTHCHECK', check }, NEW).comment,
    `HEALTHCHECK &{["CMD-SHELL" "x"] "1m30s" "1.5s" "0s" '\\x03'}`,
  )
  const command = { isShell: true, words: ['echo "a"'] }
  assert.equal(
    configure({}, { name: 'CMD', command }, NEW).comment,
    'CMD ["/bin/sh" "-c" "echo \\"a\\""]',
  )
})

test('variables keep their places', () => {
  const pairs = [
    { key: 'B', value: '3' },
    { key: 'C', value: '4' },
  ]
  assert.deepEqual(withVariables(['A=1', 'B=2'], pairs), ['A=1', 'B=3', 'C=4'])
})

test('a working directory goes on from the one before', () => {
  assert.equal(workingDirectory({}, 'a'), '/a')
  assert.equal(workingDirectory({ WorkingDir: '/a' }, '../b/./c/'), '/b/c')
  assert.equal(workingDirectory({ WorkingDir: '/a' }, '/'), '/')
  assert.equal(workingDirectory({ WorkingDir: '/a' }, '../../..'), '/')
})

test('arguments are those of the stage, of the request first', () => {
  const args = new BuildArgs(
    new Map([
      ['A', 'given'],
      ['http_proxy', 'p'],
      ['Z', ''],
    ]),
  )
  args.declareMeta('M', 'meta')
  args.declare('A', 'file')
  args.declare('B', 'file')
  args.declare('M', undefined)
  args.declare('N', undefined)
  const values = Object.fromEntries(args.values(new Map([['B', 'of ENV']])))
  assert.deepEqual(values, { A: 'given', M: 'meta', http_proxy: 'p' })
  assert.equal(args.isRecorded('http_proxy'), false)
  assert.deepEqual(args.unused(), ['Z'])
  args.endStage()
  assert.deepEqual([...args.values(new Map()).keys()], ['http_proxy'])
})

test('owners are names of the image, or numbers', () => {
  const files = { passwd: 'me:x:5:6::/:\n', group: 'me:x:7:\nwe:x:8:\n' }
  assert.deepEqual(parseOwner('me', files), { uid: 5, gid: 7 })
  assert.deepEqual(parseOwner('me:we', files), { uid: 5, gid: 8 })
  assert.deepEqual(parseOwner('1:2', files), { uid: 1, gid: 2 })
  assert.throws(() => parseOwner('you', files), /can't find uid for user you: no such user: you/)
  assert.throws(() => parseOwner('me:you', files), /can't find gid for group you/)
})
