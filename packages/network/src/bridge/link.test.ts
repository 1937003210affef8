import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatSubnet } from '../address.ts'
import { parseRoutes } from './link.ts'

test('routes of /proc/net/route are subnets, but for the default route', () => {
  const text = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	0000110A	00000000	0001	0	0	0	0000FFFF	0	0	0
tun0	0564A8C0	00000000	0005	0	0	0	FFFFFFFF	0	0	0
`
  assert.deepEqual(parseRoutes(text).map(formatSubnet), [
    '192.0.2.0/24',
    '10.17.0.0/16',
    '192.168.100.5/32',
  ])
  assert.deepEqual(parseRoutes(''), [])
})
