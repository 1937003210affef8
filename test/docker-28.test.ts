import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { requires, startDaemon, type TestDaemon } from '@ctr/testkit'

/** What dockerd has learned since 20.10, as its users meet it. Compared with dockerd 28.5. */
const skip = requires({ root: true })

describe('as dockerd 28', { skip }, () => {
  let daemon: TestDaemon
  before(async () => {
    daemon = await startDaemon()
  })
  after(async () => {
    await daemon[Symbol.asyncDispose]()
  })

  test('a network without IPv4: addresses, names and the way out are of IPv6', async () => {
    await daemon.ok(['network', 'create', '--ipv4=false', '--ipv6', 'six'])
    const { EnableIPv4, EnableIPv6, IPAM } = (
      await daemon.request('GET', '/networks/six')
    ).json() as {
      EnableIPv4: boolean
      EnableIPv6: boolean
      IPAM: { Config: { Subnet: string }[] }
    }
    assert.deepEqual([EnableIPv4, EnableIPv6, IPAM.Config.length], [false, true, 1])
    await daemon.ok(['run', '-d', '--name', 'there', '--network', 'six', 'busybox', 'sleep', '600'])
    const script =
      'ip -4 -o addr show eth0 | wc -l; ip -6 route | grep -c ^default; nslookup there | grep -c "^Name:.*there"'
    const shown = await daemon.ok([
      'run',
      '--rm',
      '--network',
      'six',
      'busybox',
      'sh',
      '-c',
      script,
    ])
    assert.equal(shown, '0\n1\n1')
    await daemon.ok(['rm', '-f', 'there'])
    await daemon.ok(['network', 'rm', 'six'])
  })

  test('neither IPv4 nor IPv6 is refused; an older client knows of no such choice', async () => {
    const create = async (version: string) =>
      await daemon.request('POST', `/v${version}/networks/create`, {
        Name: 'none4',
        EnableIPv4: false,
      })
    const refused = await create('1.48')
    assert.equal(refused.status, 400)
    assert.match(refused.text, /IPv4 or IPv6 must be enabled/)
    assert.equal((await create('1.47')).status, 201)
    await daemon.ok(['network', 'rm', 'none4'])
  })

  test('sysctls of an endpoint are those of its interface, also where it joins a running container', async () => {
    await daemon.ok(['network', 'create', 'nets'])
    const option = 'com.docker.network.endpoint.sysctls'
    const long = (value: string) => `name=nets,driver-opt=${option}=${value}`
    const read = 'cat /proc/sys/net/ipv4/conf/eth0/log_martians'
    assert.equal(
      await daemon.ok([
        'run',
        '--rm',
        '--network',
        long('net.ipv4.conf.IFNAME.log_martians=1'),
        'busybox',
        'sh',
        '-c',
        read,
      ]),
      '1',
    )
    assert.equal(
      await daemon.ok(['run', '--rm', '--network', 'nets', 'busybox', 'sh', '-c', read]),
      '0',
    )
    await daemon.ok(['run', '-d', '--name', 'joins', 'busybox', 'sleep', '600'])
    await daemon.ok([
      'network',
      'connect',
      '--driver-opt',
      `${option}=net.ipv4.conf.IFNAME.log_martians=1`,
      'nets',
      'joins',
    ])
    const joined = await daemon.ok(['exec', 'joins', 'sh', '-c', read.replace('eth0', 'eth1')])
    assert.equal(joined, '1')
    const unknown = await daemon.ctr([
      'run',
      '--rm',
      '--network',
      long('net.ipv4.conf.IFNAME.nope=1'),
      'busybox',
      'true',
    ])
    assert.notEqual(unknown.code, 0)
    const other = await daemon.ctr([
      'run',
      '--rm',
      '--network',
      long('kernel.x=1'),
      'busybox',
      'true',
    ])
    assert.match(
      other.stderr,
      /failed to set up container networking: unrecognised network interface sysctl 'kernel.x=1'/,
    )
    await daemon.ok(['rm', '-f', 'joins'])
    await daemon.ok(['network', 'rm', 'nets'])
  })

  test('a port that is published on a routed network has no port of the host', async () => {
    const option = 'com.docker.network.bridge.gateway_mode_ipv4=routed'
    await daemon.ok(['network', 'create', '-o', option, 'routed'])
    // Nobody needs a port of the host, so two may ask for the same.
    for (const name of ['r1', 'r2']) {
      const flags = ['--name', name, '--network', 'routed', '-p', '8080:80']
      await daemon.ok(['run', '-d', ...flags, 'busybox', 'sleep', '600'])
    }
    const format = '{{json .NetworkSettings.Ports}}'
    const shown = await daemon.ok(['inspect', '-f', format, 'r1'])
    assert.equal(shown, '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""}]}')
    const ps = await daemon.docker(['ps', '-f', 'name=r1', '--format', '{{.Ports}}'])
    assert.equal(ps.stdout.trim(), '80/tcp')
    assert.equal(await daemon.ok(['ps', '-f', 'name=r1', '--format', '{{.Ports}}']), '80/tcp')
    await daemon.ok(['rm', '-f', 'r1', 'r2'])
    await daemon.ok(['network', 'rm', 'routed'])
  })

  test('--security-opt writable-cgroups', async () => {
    const made = async (...flags: string[]) =>
      await daemon.ok([
        'run',
        '--rm',
        '--cgroupns',
        'private',
        ...flags,
        'busybox',
        'sh',
        '-c',
        WRITES,
      ])
    assert.equal(await made('--security-opt', 'writable-cgroups=true'), 'written')
    assert.equal(await made('--security-opt', 'writable-cgroups=false'), 'refused')
    assert.equal(await made(), 'refused')
    const wrong = await daemon.ctr([
      'create',
      '--security-opt',
      'writable-cgroups=maybe',
      'busybox',
    ])
    assert.match(wrong.stderr, /invalid --security-opt 2: "writable-cgroups=maybe"/)
  })
})

const WRITES =
  'd=/sys/fs/cgroup; [ -d $d/pids ] && d=$d/pids; mkdir $d/x 2>/dev/null && rmdir $d/x && echo written || echo refused'
