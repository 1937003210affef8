import { parseBytes, parseSwap } from './bytes.ts'
import { parseCpus } from './cpus.ts'
import { parseDuration } from './duration.ts'
import { no, table } from './table-fixture.ts'
import { parseTime } from './time.ts'
import { parseUlimit, parseUlimits } from './ulimit.ts'

table('parseBytes', parseBytes, [
  ['512', 512],
  ['64m', 64 * 2 ** 20],
  ['64MB', 64 * 2 ** 20],
  ['1.5g', 1.5 * 2 ** 30],
  ['1GiB', 2 ** 30],
  ['10 kb', 10240],
  ['0', 0],
  ['abc', no("invalid size: 'abc'")],
  ['', no("invalid size: ''")],
  ['-1', no("invalid size: '-1'")],
  ['-5', no("invalid size: '-5'")],
  ['1z', no("invalid suffix: 'z'")],
  ['1bb', no("invalid suffix: 'bb'")],
])

table('parseSwap', parseSwap, [
  ['-1', -1],
  ['64m', 64 * 2 ** 20],
  ['-2', no("invalid size: '-2'")],
])

table('parseCpus', parseCpus, [
  ['0.5', 500_000_000],
  ['2', 2_000_000_000],
  ['1/4', 250_000_000],
  ['1e-1', 100_000_000],
  ['0x1', 1_000_000_000],
  ['010', 10_000_000_000],
  ['0.0000000001', no('value is too precise')],
  ['1/3', no('value is too precise')],
  ['', no('failed to parse  as a rational number')],
  ['x', no('failed to parse x as a rational number')],
])

table('parseDuration', parseDuration, [
  ['0', 0],
  ['300ms', 300e6],
  ['1h30m', 5400e9],
  ['1.5s', 1.5e9],
  ['-2m', -120e9],
  ['5', no('time: missing unit in duration "5"')],
  ['1x', no('time: unknown unit "x" in duration "1x"')],
  ['foo', no('time: invalid duration "foo"')],
  ['', no('time: invalid duration ""')],
])

table<object>('parseUlimit', parseUlimit, [
  ['nofile=1024', { Name: 'nofile', Soft: 1024, Hard: 1024 }],
  ['nofile=1:2', { Name: 'nofile', Soft: 1, Hard: 2 }],
  ['core=-1', { Name: 'core', Soft: -1, Hard: -1 }],
  ['core=unlimited', { Name: 'core', Soft: -1, Hard: -1 }],
  ['a', no('invalid ulimit argument: a')],
  ['foo=1', no('invalid ulimit type: foo')],
  ['nofile=2:1', no('ulimit soft limit must be less than or equal to hard limit: 2 > 1')],
  ['nofile=x', no('strconv.ParseInt: parsing "x": invalid syntax')],
])

table<object>('parseUlimits', (text) => parseUlimits(text.split(' ')), [
  [
    'nofile=1 core=0 nofile=5:6',
    [
      { Name: 'core', Hard: 0, Soft: 0 },
      { Name: 'nofile', Hard: 6, Soft: 5 },
    ],
  ],
  [
    'nofile=-1:5',
    no('ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 5'),
  ],
])

table('parseTime', (text) => parseTime(text, Date.UTC(2026, 0, 1)), [
  ['10m', '1767225000.000000000'],
  ['1700000000.5', '1700000000.5'],
  ['0', '0'],
  ['2013-01-02T13:23:37Z', '1357133017.000000000'],
  ['2013-01-02T13:23:37.123456789+01:00', '1357129417.123456789'],
  ['2013-01-02T13', '1357131600.000000000'],
  ['2013-13-02', no('parsing time "2013-13-02": month out of range')],
  ['2013-01-02T25:00', no('parsing time "2013-01-02T25:00": hour out of range')],
  ['1700000000.1234567899', '1700000000.123456789'],
  ['foo', no('failed to parse value as time or duration: "foo"')],
])
