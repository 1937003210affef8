import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostsFile, moveHostsEntries, moveLinkEntries } from './hosts-file.ts'

const LOCAL = `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::	ip6-localnet
ff00::	ip6-mcastprefix
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
`

test('own addresses come last, after added hosts', () => {
  const text = hostsFile({
    hostname: 'c1',
    addresses: ['172.17.0.2', 'fd00::2'],
    extraHosts: ['db:10.0.0.5', 'v6:::1', 'v6b=[fd00::9]', 'gw:host-gateway'],
    hostGateways: ['172.17.0.1'],
  })
  assert.equal(
    text,
    `${LOCAL}10.0.0.5\tdb\n::1\tv6\nfd00::9\tv6b\n172.17.0.1\tgw\n172.17.0.2\tc1\nfd00::2\tc1\n`,
  )
})

test('without a network there is only localhost', () => {
  assert.equal(hostsFile({ hostname: 'c1', addresses: [], extraHosts: [] }), LOCAL)
})

test('a domain name makes the first name of the line', () => {
  const text = hostsFile({
    hostname: 'c1',
    domainname: 'example.org',
    addresses: ['10.0.0.2'],
    extraHosts: [],
  })
  assert.match(text, /^10\.0\.0\.2\tc1\.example\.org c1$/m)
})

test('a host name with dots is a full name', () => {
  const text = hostsFile({ hostname: 'c1.example.org', addresses: ['10.0.0.2'], extraHosts: [] })
  assert.match(text, /^10\.0\.0\.2\tc1\.example\.org c1$/m)
})

test("on the host's network the host's file is used, unless hosts are added", () => {
  const hostFile = '127.0.0.1 localhost box'
  const file = (...extraHosts: string[]): string =>
    hostsFile({ hostname: 'h', addresses: [], extraHosts, hostFile })
  assert.equal(file(), hostFile)
  assert.equal(file('a:1.2.3.4'), `${LOCAL}1.2.3.4\ta\n`)
})

for (const entry of [
  'nonsense',
  'a:',
  ':1.2.3.4',
  'a:1.2.3',
  'a b:1.2.3.4',
  'a\nb:1.2.3.4',
  'gw:host-gateway',
]) {
  test(`added host ${JSON.stringify(entry)} is refused`, () => {
    assert.throws(() => hostsFile({ hostname: 'c', addresses: [], extraHosts: [entry] }), {
      code: 'INVALID_ARGUMENT',
    })
  })
}

const moves: [string, string, { removed?: string[]; added?: string[] }, string][] = [
  [
    'an address comes',
    '10.0.0.2\tweb\n',
    { added: ['10.1.0.2'] },
    '10.0.0.2\tweb\n10.1.0.2\tweb\n',
  ],
  [
    'an address goes',
    '10.0.0.2\tweb\n10.1.0.2\tweb\n',
    { removed: ['10.0.0.2'] },
    '10.1.0.2\tweb\n',
  ],
  [
    'what others wrote stays',
    '10.0.0.2 web\n1.1.1.1 x',
    { removed: ['10.0.0.2'] },
    '10.0.0.2 web\n1.1.1.1 x',
  ],
  ['a last line without end', '1.1.1.1 x', { added: ['10.0.0.2'] }, '1.1.1.1 x\n10.0.0.2\tweb\n'],
  ['an empty file', '', { added: ['10.0.0.2'] }, '10.0.0.2\tweb\n'],
]
for (const [what, text, change, expected] of moves) {
  test(`of a running container: ${what}`, () => {
    const moved = moveHostsEntries(text, { hostname: 'web', removed: [], added: [], ...change })
    assert.equal(moved, expected)
  })
}

test('a link follows its target, of both families, and nothing else changes', () => {
  const text =
    '127.0.0.1\tlocalhost\n10.0.0.2\tdb 1a2b database\nfd00::2\tdb 1a2b database\n10.0.0.9\tdb2 x\n10.0.0.8\town\n# db\n10.0.0.7 db'
  assert.equal(
    moveLinkEntries(text, 'db', ['10.0.0.5', 'fd00::5']),
    '127.0.0.1\tlocalhost\n10.0.0.5\tdb 1a2b database\nfd00::5\tdb 1a2b database\n10.0.0.9\tdb2 x\n10.0.0.8\town\n# db\n10.0.0.7 db',
  )
  assert.equal(moveLinkEntries(text, 'db', []), text)
  assert.equal(moveLinkEntries('1.2.3.4\ta.b\n', 'a.b', ['1.2.3.5']), '1.2.3.5\ta.b\n')
  assert.equal(moveLinkEntries('1.2.3.4\taxb\n', 'a.b', ['1.2.3.5']), '1.2.3.4\taxb\n')
})
