import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { test } from 'node:test'
import { freePort, requires, run, waitFor } from '@ctr/testkit'
import { checkResult, field, inBusybox, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true, commands: ['nft', 'ip', 'gcc'] })
const ctrd = useDaemon({}, async ({ root }) => {
  const source = `${import.meta.dirname}/echo-server.c`
  const { code, stderr } = await run(['gcc', '-static', '-o', `${root}/echo-server`, source])
  assert.equal(code, 0, stderr)
})

async function fetchText(url: string): Promise<string> {
  return await waitFor(url, async () => {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(
      () => undefined,
    )
    return response?.ok === true ? await response.text() : undefined
  })
}

async function webServer(name: string, ...flags: string[]): Promise<void> {
  const script = `mkdir -p /www; echo "page of ${name}" >/www/index.html; exec httpd -f -p 80 -h /www`
  await ctrd().ok(['run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script])
}

test('a container has an address of the bridge, a default route and lo', { skip }, async () => {
  const prefix = ctrd().subnetPrefix
  const out = await inBusybox(ctrd(), 'ip -o -4 addr; ip route')
  assert.match(out, new RegExp(`lo +inet 127\\.0\\.0\\.1/8`))
  assert.match(out, new RegExp(`eth0 +inet ${prefix.replaceAll('.', '\\.')}\\.\\d+/24 `))
  assert.match(out, new RegExp(`^default via ${prefix.replaceAll('.', '\\.')}\\.1 dev eth0`, 'm'))
})

test('containers reach each other and the gateway', { skip }, async () => {
  await ctrd().ok(['run', '-d', '--name', 'peer', 'busybox', 'sleep', '300'])
  const address = await field(ctrd(), 'peer', '{{.NetworkSettings.IPAddress}}')
  await inBusybox(ctrd(), `ping -c 1 -W 20 ${address} && ping -c 1 -W 20 ${ctrd().subnetPrefix}.1`)
})

test('an address is free again after rm', { skip }, async () => {
  const address = '{{.NetworkSettings.IPAddress}}'
  await ctrd().ok(['run', '-d', '--name', 'n1', 'busybox', 'sleep', '300'])
  const first = await field(ctrd(), 'n1', address)
  await ctrd().ok(['rm', '-f', 'n1'])
  const seen = new Set<string>()
  for (let round = 0; round < 260 && !seen.has(first); round++) {
    const id = await ctrd().ok(['create', 'busybox', 'true'])
    await ctrd().ok(['start', id])
    await ctrd().ok(['wait', id])
    seen.add(first) // 260 containers in a /24 only start if addresses come back
    await ctrd().ok(['rm', id])
  }
})

test('a published port answers on loopback, from the bridge and through the address of the host', {
  skip,
}, async () => {
  const port = await freePort()
  await webServer('web', '-p', `${port}:80`)
  assert.equal(await fetchText(`http://127.0.0.1:${port}/`), 'page of web\n')
  assert.equal(await fetchText(`http://${ctrd().subnetPrefix}.1:${port}/`), 'page of web\n')
  const hairpin = await inBusybox(ctrd(), `wget -qO- http://${ctrd().subnetPrefix}.1:${port}/`)
  assert.equal(hairpin, 'page of web')
  assert.match(await ctrd().ok(['ps']), new RegExp(`0\\.0\\.0\\.0:${port}->80/tcp`))
})

async function echoServer(
  name: string,
  protocol: 'tcp' | 'udp',
  ...flags: string[]
): Promise<void> {
  const program = ['-v', `${ctrd().root}/echo-server:/echo-server:ro`, 'busybox', '/echo-server']
  await ctrd().ok(['run', '-d', '--name', name, ...flags, ...program, protocol, '7'])
  await waitFor('the server', async () => (await ctrd().ok(['logs', name])) === 'ready')
}

test('a caller from outside is answered, and seen with its own address', { skip }, async () => {
  // From a network namespace of its own, as another machine would call.
  const port = await freePort()
  const space = `ctt${process.pid}`
  const [near, far] = ['10.127.255.1', '10.127.255.2']
  await echoServer('src', 'tcp', '-p', `${port}:7`)
  try {
    for (const command of [
      `ip netns add ${space}`,
      `ip link add ${space}h type veth peer name eth0 netns ${space}`,
      `ip addr add ${near}/30 dev ${space}h`,
      `ip link set ${space}h up`,
      `ip -n ${space} addr add ${far}/30 dev eth0`,
      `ip -n ${space} link set eth0 up`,
    ]) {
      const { code, stderr } = await run(command.split(' '))
      assert.equal(code, 0, `${command}: ${stderr}`)
    }
    const call = [
      'ip',
      'netns',
      'exec',
      space,
      'busybox',
      'timeout',
      '20',
      'busybox',
      'nc',
      near,
      String(port),
    ]
    const { stdout } = await run(call, { input: '' })
    assert.equal(stdout, `from ${far}\n`)
  } finally {
    await run(['ip', 'netns', 'delete', space])
    await run(['ip', 'link', 'delete', `${space}h`])
  }
})

test('a published UDP port answers', { skip }, async () => {
  const port = await freePort()
  await echoServer('udp', 'udp', '-p', `${port}:7/udp`)
  const socket = createSocket('udp4')
  try {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(120_000) })
    socket.send('ping', port, '127.0.0.1')
    assert.equal(String((await answer)[0]), 'ping')
  } finally {
    socket.close()
  }
})

test('a published SCTP port is listed, and taken for others', { skip }, async () => {
  const port = await freePort()
  const publish = (...flags: string[]) =>
    ctrd().ctr(['run', '-d', '--name', 'sctp', ...flags, 'busybox', 'sleep', '300'])
  const twice = await publish('-p', `127.0.0.1:${port}:7/sctp`, '-p', `${port}:8/sctp`)
  checkResult({ code: 125, stderr: /port is already allocated/ }, twice)
  await ctrd().ok(['rm', '-f', 'sctp'])
  const { stderr } = await publish('-p', `127.0.0.1:${port}:7/sctp`)
  // proc(5): those of which there can be sockets.
  const hasSctp = /^SCTP/m.test(readFileSync('/proc/net/protocols', 'utf8'))
  assert.equal(stderr.includes('does not support SCTP'), !hasSctp)
  assert.equal(await ctrd().ok(['port', 'sctp']), `7/sctp -> 127.0.0.1:${port}`)
  assert.match(await ctrd().ok(['ps']), new RegExp(`127\\.0\\.0\\.1:${port}->7/sctp`))
  const second = await ctrd().ctr(['run', '--rm', '-p', `${port}:9/sctp`, 'busybox', 'true'])
  checkResult({ code: 125, stderr: /port is already allocated/ }, second)
  await ctrd().ok(['rm', '-f', 'sctp'])
})

test('a port that is taken is refused and leaves nothing', { skip }, async () => {
  const port = await freePort()
  await webServer('first', '-p', `${port}:80`)
  const result = await ctrd().ctr([
    'run',
    '-d',
    '--name',
    'second',
    '-p',
    `${port}:80`,
    'busybox',
    'sleep',
    '300',
  ])
  checkResult({ code: 125, stderr: /port is already allocated/ }, result)
  await ctrd().ctr(['rm', '-f', 'second'])
  assert.equal(await fetchText(`http://127.0.0.1:${port}/`), 'page of first\n')
})

test('a port taken by another program of the host is refused', { skip }, async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', () => resolve()))
  const { port } = server.address() as AddressInfo
  try {
    const result = await ctrd().ctr(['run', '--rm', '-p', `${port}:80`, 'busybox', 'true'])
    checkResult({ code: 125, stderr: /address already in use|port is already allocated/ }, result)
  } finally {
    server.close()
  }
})

test('a port on an address that the host does not have is refused', { skip }, async () => {
  // RFC 5737: nobody has it.
  const result = await ctrd().ctr(['run', '--rm', '-p', '203.0.113.9:8080:80', 'busybox', 'true'])
  const stderr =
    /Error starting userland proxy: listen tcp4 203\.0\.113\.9:8080: bind: cannot assign requested address/
  checkResult({ code: 125, stderr }, result)
})

test('after rm the port, the rules and the devices have gone', { skip }, async () => {
  const port = await freePort()
  await webServer('gone', '-p', `${port}:80`)
  await fetchText(`http://127.0.0.1:${port}/`)
  await ctrd().ok(['rm', '-f', 'gone'])
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`))
  assert.ok(!(await ownRules()).includes(String(port)), await ownRules())
})

test('-p without a host port takes a free one, on the address asked for', { skip }, async () => {
  await webServer('any', '-p', '127.0.0.1::80')
  const ports = JSON.parse(await field(ctrd(), 'any', '{{json .NetworkSettings.Ports}}')) as Record<
    string,
    { HostIp: string; HostPort: string }[]
  >
  const [binding] = ports['80/tcp'] ?? []
  assert.equal(binding?.HostIp, '127.0.0.1')
  assert.equal(await fetchText(`http://127.0.0.1:${binding?.HostPort}/`), 'page of any\n')
})

/** The tables of this daemon: those of other tests may hold any number. */
async function ownRules(): Promise<string> {
  const { stdout } = await run(['nft', 'list', 'ruleset'])
  const tables = stdout.split(/^(?=table )/m).filter((table) => table.includes(ctrd().bridge))
  assert.notEqual(tables.length, 0, stdout)
  return tables.join('')
}

const badPorts = ['80:80:80:80', 'a:b', '99999:80', '8080:', '0.0.0.0:x:80', '80/abc', '1-3:1-2']
for (const spec of badPorts) {
  test(`-p ${spec} is refused and leaves no container`, { skip }, async () => {
    const result = await ctrd().ctr(['run', '-p', spec, 'busybox', 'true'])
    checkResult({ code: 125, stderr: /[Ii]nvalid|[Nn]o port specified/ }, result)
    assert.equal(await ctrd().ok(['ps', '-aq']), '')
  })
}

test('an unknown network is refused', { skip }, async () => {
  const result = await ctrd().ctr(['run', '--network', 'nosuch', 'busybox', 'true'])
  checkResult({ code: 125, stderr: /network nosuch not found/ }, result)
})

test('ten containers up and down leave no device behind', { skip }, async () => {
  const names = Array.from({ length: 10 }, (_, index) => `n${index}`)
  await Promise.all(
    names.map((name) => ctrd().ok(['run', '-d', '--name', name, 'busybox', 'sleep', '300'])),
  )
  // Devices of other engines come and go meanwhile.
  const own = bridgePorts()
  assert.ok(own.length >= names.length, own.join())
  await Promise.all(names.map((name) => ctrd().ok(['rm', '-f', name])))
  await waitFor('the devices of before', () => {
    const left = new Set(readdirSync('/sys/class/net'))
    return bridgePorts().length === 0 && !own.some((name) => left.has(name))
  })
})

/** The host's ends of this daemon's containers. */
function bridgePorts(): string[] {
  return readdirSync('/sys/class/net').filter((name) => {
    try {
      const master = readFileSync(`/sys/class/net/${name}/master/uevent`, 'utf8')
      return master.includes(`INTERFACE=${ctrd().bridge}\n`)
    } catch {
      return false // it has no master, or has gone
    }
  })
}

test('a connection through a published port survives the daemon', { skip }, async () => {
  const port = await freePort()
  await echoServer('long', 'tcp', '-p', `${port}:7`)
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (data: Buffer) => {
    received += data.toString()
  })
  socket.on('error', () => undefined)
  try {
    socket.write('one\n')
    await waitFor('the first echo', () => received.includes('one'))
    await ctrd().kill9()
    socket.write('two\n')
    await waitFor('the second echo', () => received.includes('two'))
  } finally {
    socket.destroy()
    await ctrd().restart()
  }
  assert.match(await fetchEcho(port), /^from /)
})

async function fetchEcho(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  try {
    return String((await once(socket, 'data', { signal: AbortSignal.timeout(120_000) }))[0])
  } finally {
    socket.destroy()
  }
}

test('a container finds what it is linked to at its new address after a restart', {
  skip,
}, async () => {
  const address = '{{.NetworkSettings.IPAddress}}'
  await ctrd().ok(['run', '-d', '--name', 'linked', 'busybox', 'sleep', '300'])
  const links = ['--link', 'linked:database', '--link', 'linked']
  await ctrd().ok(['run', '-d', '--name', 'parent', ...links, 'busybox', 'sleep', '300'])
  await ctrd().ok(['exec', 'parent', 'sh', '-c', 'echo 1.2.3.4 mine >>/etc/hosts'])
  const before = await field(ctrd(), 'linked', address)
  await ctrd().ok(['stop', '-t', '0', 'linked'])
  await ctrd().ok(['run', '-d', '--name', 'other', 'busybox', 'sleep', '300'])
  await ctrd().ok(['start', 'linked'])
  const after = await field(ctrd(), 'linked', address)
  assert.notEqual(after, before)
  const hosts = (await ctrd().ok(['exec', 'parent', 'cat', '/etc/hosts'])).split('\n')
  const linked = hosts.filter((line) => /\t(database|linked)\s/.test(line))
  assert.deepEqual(
    linked.map((line) => line.split('\t')[0]),
    [after, after],
  )
  assert.ok(hosts.includes('1.2.3.4 mine'))
  await ctrd().ok(['rm', '-f', 'linked', 'parent', 'other'])
})

test('a container whose process has ended, unknown to its shim, is not running to network connect', {
  skip,
}, async () => {
  for (const name of ['left', 'right']) await ctrd().ok(['network', 'create', name])
  await ctrd().ok(['run', '-d', '--name', 'ended', '--network', 'left', 'busybox', 'sleep', '300'])
  const pid = Number(await field(ctrd(), 'ended', '{{.State.Pid}}'))
  const shim = Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  process.kill(shim, 'SIGSTOP')
  process.kill(pid, 'SIGKILL')
  await waitFor('its end', () => /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
  try {
    const id = await field(ctrd(), 'ended', '{{.Id}}')
    const { status, text } = await ctrd().request('POST', '/networks/right/connect', {
      Container: 'ended',
    })
    assert.deepEqual([status, text.trim()], [409, `{"message":"container ${id} is not running"}`])
  } finally {
    process.kill(shim, 'SIGCONT')
  }
  await ctrd().ok(['wait', 'ended'])
  await ctrd().ok(['rm', 'ended'])
  await ctrd().ok(['network', 'rm', 'left', 'right'])
})
