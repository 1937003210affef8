import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { machineWith } from './client-machine-fixture.ts'
import { parseCsv } from './csv.ts'
import { parseKeyValueFile, readEnvironment } from './environment.ts'
import { familiarReference, parseReference, registryOf } from './reference.ts'
import { parseRestartPolicy } from './restart.ts'
import { parseSecurityOptions } from './security.ts'
import { no, table } from './table-fixture.ts'

table('parseCsv', parseCsv, [
  ['a,b', ['a', 'b']],
  ['a,"b,c"', ['a', 'b,c']],
  ['"a""b",', ['a"b', '']],
  ['a"b', no('parse error on line 1, column 2: bare " in non-quoted-field')],
  ['"a', no('parse error on line 1, column 3: extraneous or missing " in quoted-field')],
])

table<object>('parseRestartPolicy', parseRestartPolicy, [
  ['', { Name: 'no', MaximumRetryCount: 0 }],
  ['on-failure:3', { Name: 'on-failure', MaximumRetryCount: 3 }],
  ['always', { Name: 'always', MaximumRetryCount: 0 }],
  ['on-failure:x', no('invalid restart policy format: maximum retry count must be an integer')],
  [':1', no('invalid restart policy format: no policy provided before colon')],
])

table('familiarReference', familiarReference, [
  ['busybox', 'busybox:latest'],
  ['busybox:1', 'busybox:1'],
  ['docker.io/library/busybox', 'busybox:latest'],
  ['docker.io/me/x', 'me/x:latest'],
  ['localhost:5000/a/b:v1', 'localhost:5000/a/b:v1'],
  [`x@sha256:${'a'.repeat(64)}`, `x@sha256:${'a'.repeat(64)}`],
  ['', no('invalid reference format')],
  ['Foo', no('invalid reference format: repository name (library/Foo) must be lowercase')],
  ['a:b:c', no('invalid reference format')],
  ['a//b', no('invalid reference format')],
  ['-x', no('invalid reference format')],
  [
    'a'.repeat(64),
    no(`invalid repository name (${'a'.repeat(64)}), cannot specify 64-byte hexadecimal strings`),
  ],
])

describe('references', () => {
  it('finds the registry', () => {
    assert.equal(registryOf('busybox'), 'https://index.docker.io/v1/')
    assert.equal(registryOf('me/x'), 'https://index.docker.io/v1/')
    assert.equal(registryOf('localhost/x'), 'localhost')
    assert.equal(registryOf('reg.example.com:5000/x'), 'reg.example.com:5000')
  })
  it('keeps tag and digest apart', () => {
    assert.deepEqual(parseReference(`a/b:t@sha256:${'0'.repeat(64)}`), {
      name: 'a/b',
      tag: 't',
      digest: `sha256:${'0'.repeat(64)}`,
    })
  })
})

describe('environment files', () => {
  const parse = (text: string | Buffer): string[] =>
    parseKeyValueFile(Buffer.from(text), 'f', (key) => (key === 'OWN' ? 'v' : undefined))
  it('reads lines without quotes and expansion', () => {
    assert.deepEqual(parse('\uFEFFA=1\r\n  # comment\n\n  B="x y" \nC=\nOWN\nMISSING\nD=a=b'), [
      'A=1',
      'B="x y" ',
      'C=',
      'OWN=v',
      'D=a=b',
    ])
  })
  it('names the file and the line', () => {
    assert.throws(() => parse('A B=1'), {
      message: "invalid env file (f): variable 'A B' contains whitespaces",
    })
    assert.throws(() => parse('=1'), {
      message: "invalid env file (f): no variable name on line '=1'",
    })
    assert.throws(() => parse(Buffer.from([0x41, 0x3d, 0xff])), /invalid utf8/)
  })
  it('takes a bare name from the client', () => {
    assert.deepEqual(readEnvironment([], ['A=1', 'B', 'C'], machineWith({ B: '2' })), [
      'A=1',
      'B=2',
      'C',
    ])
  })
})

describe('security options', () => {
  it('passes names on, unmasks paths, refuses the rest', () => {
    assert.deepEqual(
      parseSecurityOptions(
        ['no-new-privileges', 'seccomp=unconfined', 'systempaths=unconfined'],
        machineWith(),
      ),
      {
        options: ['no-new-privileges', 'seccomp=unconfined'],
        systemPaths: [],
      },
    )
    assert.throws(() => parseSecurityOptions(['foo'], machineWith()), {
      message: 'Invalid --security-opt: "foo"',
    })
    assert.throws(() => parseSecurityOptions(['seccomp=/nope'], machineWith()), {
      message: 'opening seccomp profile (/nope) failed: open /nope: no such file or directory',
    })
  })
})
