import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Flag } from './flag.ts'
import { FlagError, parseFlags } from './parse.ts'

const TABLE: readonly Flag[] = [
  { name: 'interactive', short: 'i', kind: 'bool', help: '' },
  { name: 'tty', short: 't', kind: 'bool', help: '' },
  { name: 'detach', short: 'd', kind: 'bool', help: '' },
  { name: 'env', short: 'e', kind: 'list', help: '' },
  { name: 'publish', short: 'p', kind: 'list', help: '' },
  { name: 'name', kind: 'string', help: '' },
  { name: 'memory', short: 'm', kind: 'bytes', help: '' },
  { name: 'cpus', kind: 'decimal', help: '' },
  { name: 'last', short: 'n', kind: 'int', help: '' },
  { name: 'subnet', kind: 'csv', help: '' },
  { name: 'network', kind: 'list', help: '' },
  { name: 'net', kind: 'list', help: '', aliasOf: 'network' },
]

function run(...argv: string[]): ReturnType<typeof parseFlags> {
  return parseFlags(TABLE, argv, { interspersed: false })
}

describe('parseFlags', () => {
  it('stops at the first argument: the rest is the container’s', () => {
    const { flags, args } = run('-it', 'busybox', '-e', 'x', '--name', '--', '-d')
    assert.deepEqual(args, ['busybox', '-e', 'x', '--name', '--', '-d'])
    assert.deepEqual(
      [flags.bool('interactive'), flags.bool('tty'), flags.bool('detach')],
      [true, true, false],
    )
  })

  it('lets options follow arguments in other commands', () => {
    const { flags, args } = parseFlags(TABLE, ['a', '-d', 'b', '--', '-i'], { interspersed: true })
    assert.deepEqual(args, ['a', 'b', '-i'])
    assert.equal(flags.bool('detach'), true)
  })

  for (const argv of [
    ['-e', 'A=1'],
    ['-eA=1'],
    ['-e=A=1'],
    ['--env', 'A=1'],
    ['--env=A=1'],
    ['-ite', 'A=1'],
    ['-iteA=1'],
  ]) {
    it(`reads ${argv.join(' ')}`, () =>
      assert.deepEqual(run(...argv, 'img').flags.list('env'), ['A=1']))
  }

  it('takes the next word as a value, whatever it looks like', () => {
    const { flags } = run('-e', '-x', '--name', '--rm', '-p80:80', 'img')
    assert.deepEqual(
      [flags.list('env'), flags.string('name'), flags.list('publish')],
      [['-x'], '--rm', ['80:80']],
    )
  })

  it('keeps quotes, empty values and what looks like a number', () => {
    const { flags } = run('-e', '"q"', '--name=', '-e', "'x'", '-e', '007', 'img')
    assert.deepEqual([flags.list('env'), flags.optional('name')], [['"q"', "'x'", '007'], ''])
  })

  it('reads booleans with a value', () => {
    assert.equal(run('-t=false', 'x').flags.bool('tty'), false)
    assert.equal(run('--tty=T', 'x').flags.bool('tty'), true)
    assert.equal(run('--tty=false', 'x').flags.isSet('tty'), true)
  })

  it('takes the last of several strings and splits comma lists', () => {
    const { flags } = run('--name', 'a', '--name', 'b', '--subnet', '1,2', '--subnet=3', 'x')
    assert.deepEqual([flags.string('name'), flags.list('subnet')], ['b', ['1', '2', '3']])
  })

  it('files an alias under its name', () => {
    assert.deepEqual(run('--net', 'a', '--network', 'b', 'x').flags.list('network'), ['a', 'b'])
  })

  it('reads integers as Go does', () => {
    for (const [text, value] of [
      ['12', 12],
      ['-1', -1],
      ['0x10', 16],
      ['010', 8],
      ['0b11', 3],
      ['1_000', 1000],
    ] as const) {
      assert.equal(run('-n', text).flags.int('last'), value)
    }
  })

  it('notices help before the arguments only', () => {
    assert.equal(run('-i', '--help').wantsHelp, true)
    assert.equal(run('-h').wantsHelp, true)
    assert.equal(run('img', '--help').wantsHelp, false)
  })

  for (const [argv, message] of [
    [['--nope'], 'unknown flag: --nope'],
    [['-Q'], "unknown shorthand flag: 'Q' in -Q"],
    [['-iQd'], "unknown shorthand flag: 'Q' in -Qd"],
    [['--name'], 'flag needs an argument: --name'],
    [['-ie'], "flag needs an argument: 'e' in -e"],
    [['--=x'], 'bad flag syntax: --=x'],
    [
      ['--tty=maybe'],
      'invalid argument "maybe" for "-t, --tty" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [
      ['-n', 'x'],
      'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      ['-n', '9223372036854775808'],
      'invalid argument "9223372036854775808" for "-n, --last" flag: strconv.ParseInt: parsing "9223372036854775808": value out of range',
    ],
    [['-m', 'abc'], `invalid argument "abc" for "-m, --memory" flag: invalid size: 'abc'`],
    [
      ['--cpus', 'abc'],
      'invalid argument "abc" for "--cpus" flag: failed to parse abc as a rational number',
    ],
  ] as const) {
    it(`says: ${message}`, () => {
      assert.throws(
        () => run(...argv),
        (error) => {
          assert(error instanceof FlagError)
          assert.equal(error.message, message)
          return true
        },
      )
    })
  }
})
