import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContainerCreate } from './container.ts'
import { decode, LargeInteger } from './decode.ts'
import { type Static, Type } from './schema.ts'

test('null is absent, keys match without case, unknown keys are dropped', () => {
  assert.deepEqual(
    decode(ContainerCreate, {
      image: 'busybox',
      Cmd: null,
      HostConfig: { memory: 5, Binds: null, Nonsense: [] },
      More: { a: 1 },
    }),
    { Image: 'busybox', HostConfig: { Memory: 5 } },
  )
})

test('an exact key wins over one in another case', () => {
  assert.deepEqual(decode(ContainerCreate, { Image: 'a', image: 'b' }), { Image: 'a' })
  assert.deepEqual(decode(ContainerCreate, { image: 'b', Image: 'a' }), { Image: 'a' })
})

test('a command may be one string', () => {
  assert.deepEqual(decode(ContainerCreate, { Cmd: 'ls -l', Entrypoint: ['a'] }), {
    Cmd: ['ls -l'],
    Entrypoint: ['a'],
  })
})

test('null inside lists and maps is the zero value', () => {
  assert.deepEqual(
    decode(ContainerCreate, {
      Env: ['A=1', null],
      ExposedPorts: { '80/tcp': null },
      Labels: { a: null },
      HostConfig: { PortBindings: { '80/tcp': null } },
    }),
    {
      Env: ['A=1', ''],
      ExposedPorts: { '80/tcp': {} },
      Labels: { a: '' },
      HostConfig: { PortBindings: { '80/tcp': [] } },
    },
  )
})

test('a wrong type is named with its place', () => {
  const cases: [unknown, string][] = [
    [[], 'the document must be an object, not a list'],
    ['x', 'the document must be an object, not a string'],
    [{ HostConfig: 1 }, 'HostConfig must be an object, not a number'],
    [{ HostConfig: { Memory: '1g' } }, 'HostConfig.Memory must be an integer, not a string'],
    [{ HostConfig: { Memory: 1.5 } }, 'HostConfig.Memory: 1.5 is not an integer'],
    [{ HostConfig: { Memory: 1e300 } }, 'HostConfig.Memory: 1e+300 is not an integer'],
    [
      { HostConfig: { Memory: new LargeInteger('9223372036854775808') } },
      'cannot unmarshal number 9223372036854775808 into field HostConfig.Memory of type int64',
    ],
    [{ Image: new LargeInteger('9223372036854775808') }, 'Image must be a string, not a number'],
    [
      { HostConfig: { BlkioDeviceReadBps: [{ Path: '/x', Rate: -1 }] } },
      'cannot unmarshal number -1 into field HostConfig.BlkioDeviceReadBps[0].Rate of type uint64',
    ],
    [{ Env: 'A=1' }, 'Env must be a list, not a string'],
    [{ Env: ['A=1', 2] }, 'Env[1] must be a string, not a number'],
    [{ Labels: { 'a.b': 1 } }, 'Labels["a.b"] must be a string, not a number'],
    [{ Labels: [] }, 'Labels must be an object, not a list'],
    [{ Tty: 'yes' }, 'Tty must be a boolean, not a string'],
  ]
  for (const [document, message] of cases) {
    assert.throws(() => decode(ContainerCreate, document), {
      code: 'INVALID_ARGUMENT',
      message: `invalid JSON: ${message}`,
    })
  }
})

test('a key __proto__ changes no prototype', () => {
  const document = JSON.parse('{"Labels":{"__proto__":"x"},"__proto__":{"Image":"evil"}}')
  const decoded = decode(ContainerCreate, document)
  assert.deepEqual(Object.keys(decoded.Labels ?? {}), ['__proto__'])
  assert.equal(decoded.Image, undefined)
})

test('a missing field of a document whose fields must be there is named', () => {
  const schema = Type.Object({ Id: Type.String(), Size: Type.Optional(Type.Integer()) })
  const value: Static<typeof schema> = decode(schema, { Id: 'a' })
  assert.deepEqual(value, { Id: 'a' })
  assert.throws(() => decode(schema, {}), { message: 'invalid JSON: Id is missing' })
})
