import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pointsToSystemdStub, resolvConf } from './resolv-conf.ts'

const HOST = `# comment
nameserver 10.0.0.53
nameserver 127.0.0.1
nameserver fd00::53
nameserver fe80::1%eth0
domain old.example
search corp.example example.org
options ndots:2
options edns0 trust-ad
`

test("the host's resolvers are taken over, but for those that a container cannot reach", () => {
  assert.equal(
    resolvConf({ hostFile: HOST }),
    'nameserver 10.0.0.53\nsearch corp.example example.org\noptions ndots:2 edns0 trust-ad\n',
  )
})

test('with IPv6 the IPv6 resolvers stay', () => {
  assert.match(resolvConf({ hostFile: HOST, hasIpv6: true }), /nameserver fd00::53\n/)
})

test("on the host's network loopback resolvers stay", () => {
  assert.match(resolvConf({ hostFile: HOST, isHostNetwork: true }), /nameserver 127\.0\.0\.1\n/)
})

test('each option replaces its own kind only', () => {
  const text = resolvConf({
    hostFile: HOST,
    nameservers: ['1.1.1.1'],
    search: ['.'],
    options: ['ndots:0'],
  })
  assert.equal(text, 'nameserver 1.1.1.1\noptions ndots:0\n')
})

test('when nothing is left, public resolvers as Docker', () => {
  assert.equal(
    resolvConf({ hostFile: 'nameserver 127.0.0.53\n' }),
    'nameserver 8.8.8.8\nnameserver 8.8.4.4\n',
  )
  assert.equal(resolvConf({ hostFile: '' }), 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n')
})

test('the stub of systemd-resolved is recognised only when it is alone', () => {
  assert.equal(pointsToSystemdStub('nameserver 127.0.0.53\noptions edns0\n'), true)
  assert.equal(pointsToSystemdStub('nameserver 127.0.0.53\nnameserver 10.0.0.1\n'), false)
  assert.equal(pointsToSystemdStub(''), false)
})

test('with a resolver for names, it is the only one, and names without a dot are asked as they are', () => {
  const hostFile = 'nameserver 192.0.2.1\nsearch example.com\noptions edns0\n'
  const conf = (options: string[] = []): string =>
    resolvConf({ hostFile, nameservers: ['192.0.2.2'], options, resolver: '10.0.0.1' })
  assert.equal(conf(), 'nameserver 10.0.0.1\nsearch example.com\noptions edns0 ndots:0\n')
  assert.match(conf(['ndots:3']), /^options ndots:3$/m)
})
