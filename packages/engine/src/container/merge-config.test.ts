import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { overrideEnvironment, processEnvironment } from './environment.ts'
import { commandOf, mergeConfig } from './merge-config.ts'

const IMAGE = {
  Entrypoint: ['/entry'],
  Cmd: ['a', 'b'],
  Env: ['PATH=/bin', 'X=image'],
  User: 'daemon',
  Labels: { one: '1', two: '2' },
  Volumes: { '/v': {} },
}

describe('a container’s config from the user’s and the image’s', () => {
  test('command: an own entrypoint drops the image’s Cmd, an empty one resets it', () => {
    const words = (user: object): string[] => {
      const { path, args } = commandOf(mergeConfig(user, IMAGE))
      return [path, ...args]
    }
    assert.deepEqual(words({}), ['/entry', 'a', 'b'])
    assert.deepEqual(words({ Cmd: ['c'] }), ['/entry', 'c'])
    assert.deepEqual(words({ Entrypoint: ['/own'] }), ['/own'])
    assert.deepEqual(words({ Entrypoint: [''], Cmd: ['c'] }), ['c'])
    assert.throws(() => words({ Entrypoint: [''] }), /no command specified/)
    assert.throws(() => mergeConfig({}, {}), /no command specified/)
  })

  test('environment, labels and volumes are joined, the user’s win', () => {
    const config = mergeConfig(
      { Env: ['X=mine'], Labels: { two: 'b' }, Volumes: { '/w': {} } },
      IMAGE,
    )
    assert.deepEqual(config.Env, ['X=mine', 'PATH=/bin'])
    assert.deepEqual(config.Labels, { one: '1', two: 'b' })
    assert.deepEqual(Object.keys(config.Volumes ?? {}), ['/v', '/w'])
    assert.equal(config.User, 'daemon')
  })

  test('process environment: own variables first, a name without = removes', () => {
    assert.deepEqual(processEnvironment({ Env: ['A=1', 'PATH=/x'], Tty: true }, 'h', '/root'), [
      'PATH=/x',
      'HOSTNAME=h',
      'TERM=xterm',
      'A=1',
      'HOME=/root',
    ])
    assert.deepEqual(overrideEnvironment(['A=1', 'B=2'], ['A', 'B=3=4']), ['B=3=4'])
    assert.deepEqual(processEnvironment({ Env: ['HOME=/h'] }, 'h', '/root').at(-1), 'HOME=/h')
  })
})
