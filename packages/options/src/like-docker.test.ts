import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { capabilityChanges } from './capabilities.ts'
import { machineWith } from './client-machine-fixture.ts'
import { checkLabel, readEnvironment, readLabels } from './environment.ts'
import { checkFilter, parseFilters } from './filter.ts'
import { checkPlatform } from './platform.ts'
import { parsePublishedPorts } from './ports.ts'
import { parseRestartPolicy } from './restart.ts'
import { parseSecurityOptions } from './security.ts'
import { no, table } from './table-fixture.ts'

/** What docker 28 does with the same words, seen with docker 28.2. */
describe('capabilities', () => {
  it('are sorted, in one form, and none is both added and dropped', () => {
    assert.deepEqual(capabilityChanges(['sys_admin', 'CAP_CHOWN', 'chown'], ['CHOWN', 'kill']), {
      add: ['CAP_CHOWN', 'CAP_SYS_ADMIN'],
      drop: ['CAP_KILL'],
    })
    assert.deepEqual(capabilityChanges(['chown', 'all'], []), { add: ['ALL'], drop: [] })
  })
})

table('checkPlatform', checkPlatform, [
  ['linux/arm64/v8', undefined],
  ['windows(10.0.17763)/amd64', undefined],
  ['arm64', undefined],
  [
    'a/b/c/d',
    no(
      'error parsing specified platform: "a/b/c/d": cannot parse platform specifier: invalid argument',
    ),
  ],
  [
    'nope',
    no(
      'error parsing specified platform: "nope": unknown operating system or architecture: invalid argument',
    ),
  ],
  [
    'linux/x y',
    no(
      'error parsing specified platform: "x y" is an invalid component of "linux/x y": platform specifier component must match "^[A-Za-z0-9_-]+$": invalid argument',
    ),
  ],
])

table('checkLabel', checkLabel, [
  ['a=b c', undefined],
  ['', no("invalid label '': empty name")],
  [' =x', no("invalid label ' =x': empty name")],
  ['a b=c', no("label 'a b' contains whitespaces")],
])

describe('files of variables and labels', () => {
  it('say what is wrong with them, as docker does', () => {
    const directory = mkdtempSync('/tmp/ctr-like-docker-')
    try {
      const file = (content: string | Buffer): string => {
        writeFileSync(`${directory}/file`, content)
        return `${directory}/file`
      }
      const read = (path: string): string[] => readEnvironment([path], [], machineWith())
      assert.throws(() => read(directory), {
        message: `invalid env file (${directory}): read ${directory}: is a directory`,
      })
      assert.throws(() => read(file(Buffer.from([0x41, 0x0a, 0x42, 0xff]))), {
        message: `invalid env file (${directory}/file): invalid utf8 bytes at line 2: [66 255]`,
      })
      assert.throws(() => read(file('a'.repeat(70_000))), {
        message: `invalid env file (${directory}/file): bufio.Scanner: token too long`,
      })
      assert.deepEqual(read(file('A=1\r\nB=2')), ['A=1', 'B=2'])
      assert.deepEqual(readLabels([file('a=1\nbare\n')], ['b'], machineWith()), { a: '1', b: '' })
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

describe('words', () => {
  it('an empty filter is none', () => {
    checkFilter('')
    assert.deepEqual(parseFilters(['', 'a=b']), { a: ['b'] })
  })

  it('a filter may have the name of a method', () => {
    const filters = parseFilters(['constructor=x', '__proto__=y', '__proto__=z'])
    assert.equal(JSON.stringify(filters), '{"constructor":["x"],"__proto__":["y","z"]}')
  })

  it('on-failure with nothing after the colon has no limit', () => {
    assert.deepEqual(parseRestartPolicy('on-failure:'), {
      Name: 'on-failure',
      MaximumRetryCount: 0,
    })
  })

  it('a security option needs a value', () => {
    assert.throws(() => parseSecurityOptions(['seccomp='], machineWith()), {
      message: 'Invalid --security-opt: "seccomp="',
    })
    assert.deepEqual(parseSecurityOptions(['no-new-privileges'], machineWith()).options, [
      'no-new-privileges',
    ])
  })

  it('--expose leaves the protocol to the daemon, and needs a port', () => {
    assert.deepEqual(parsePublishedPorts([], ['80/foo']).exposed, { '80/foo': {} })
    assert.throws(() => parsePublishedPorts([], ['/tcp']), {
      message: 'invalid range format for --expose: /tcp, error: empty string specified for ports',
    })
  })
})
