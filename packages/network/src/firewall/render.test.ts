import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDroppingChains } from './firewall.ts'
import {
  type BridgeRules,
  type Publication,
  renderPublish,
  renderTable,
  renderUnpublish,
} from './render.ts'

test('an empty state has no empty element lists, which nft refuses', () => {
  assert.doesNotMatch(
    renderTable({ table: 't', bridges: [], publications: [], detours: [] }),
    /elements = \{ \}/,
  )
})

test('a table replaces itself in one batch', () => {
  const text = renderTable({ table: 't', bridges: [bridge({})], publications: [], detours: [] })
  assert.match(text, /^add table inet t\ndelete table inet t\ntable inet t \{/)
})

test('each bridge is masqueraded on the way out, internal ones are not', () => {
  const bridges = [
    bridge({}),
    bridge({ link: 'br1', ipv4Subnet: '10.1.0.0/16', isInternal: true }),
    bridge({ link: 'br2', masquerades: false }),
  ]
  const text = renderTable({ table: 't', bridges, publications: [], detours: [] })
  assert.equal(text.match(/masquerade/g)?.length, 1)
  assert.match(text, /ip saddr 10\.0\.0\.0\/16 oifname != "br0" masquerade/)
  assert.match(text, /set internal \{ type ifname; elements = \{ "br1" \}/)
})

test('without inter-container communication a bridge is no neighbour of itself', () => {
  const text = renderTable({
    table: 't',
    bridges: [bridge({ allowsInterContainer: false })],
    publications: [],
    detours: [],
  })
  assert.doesNotMatch(text, /"br0" \. "br0"/)
})

const publications: [Partial<Publication>, string][] = [
  [{}, 'add element inet t published_any { tcp . 8080 : 10.0.0.2 . 80 }\n'],
  [
    { hostIp: '192.0.2.2', protocol: 'udp' },
    'add element inet t published { 192.0.2.2 . udp . 8080 : 10.0.0.2 . 80 }\n',
  ],
  [{ hostIp: '127.0.0.1' }, ''],
  [{ hostIp: '::' }, ''],
  [
    { hostIp: '::', targetAddress: 'fd00::2' },
    'add element inet t published6_any { tcp . 8080 : fd00::2 . 80 }\n',
  ],
  [{ hostIp: '::1', targetAddress: 'fd00::2' }, ''],
]
for (const [part, expected] of publications) {
  test(`publication ${JSON.stringify(part)} becomes ${expected.trim() || 'nothing: the listener serves it'}`, () => {
    assert.equal(renderPublish('t', [publication(part)]), expected)
    assert.equal(renderUnpublish('t', [publication(part)]), expected.replace(/^add/, 'delete'))
    const table = renderTable({
      table: 't',
      bridges: [],
      publications: [publication(part)],
      detours: [],
    })
    assert.equal(table.includes('elements'), expected !== '')
  })
}

test('a forward chain of another program that drops by default is found', () => {
  const listing = `table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain DOCKER-USER {
	}
}
table inet ctr-x {
	chain forward {
		type filter hook forward priority filter; policy accept;
	}
}
`
  assert.deepEqual(parseDroppingChains(listing, 'forward'), ['ip filter FORWARD'])
  assert.deepEqual(parseDroppingChains(listing, 'input'), ['ip filter INPUT'])
})

function bridge(part: Partial<BridgeRules>): BridgeRules {
  return {
    link: 'br0',
    ipv4Subnet: '10.0.0.0/16',
    ipv6Subnet: undefined,
    isInternal: false,
    allowsInterContainer: true,
    masquerades: true,
    ipv4Mode: 'nat',
    ipv6Mode: 'nat',
    trusted: [],
    ...part,
  }
}

function publication(part: Partial<Publication>): Publication {
  return {
    protocol: 'tcp',
    containerPort: 80,
    hostIp: '0.0.0.0',
    hostPort: 8080,
    targetAddress: '10.0.0.2',
    isDirect: false,
    ...part,
  }
}
