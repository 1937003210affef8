import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort, requires, waitFor } from '@ctr/testkit'
import { field, useDaemon } from './daemon-fixture.ts'

const skip = requires({ root: true, commands: ['nft', 'ip'] })
const ctrd = useDaemon()

for (const change of ['connect', 'disconnect'] as const) {
  test(`a daemon that is killed within network ${change} leaves ports that lead to it`, {
    skip,
  }, async () => {
    const [port, name] = [await freePort(), `web-${change}`]
    const [before, after] = [`n2-${change}`, `n1-${change}`]
    for (const network of [before, after]) await ctrd().ok(['network', 'create', network])
    const serve = 'mkdir /www; echo page >/www/index.html; exec httpd -f -p 80 -h /www'
    const options = ['--name', name, '--network', before, '-p', `${port}:80`]
    await ctrd().ok(['run', '-d', ...options, 'busybox', 'sh', '-c', serve])
    if (change === 'disconnect') await ctrd().ok(['network', 'connect', after, name])
    const id = await field(ctrd(), name, '{{.Id}}')
    const pidFile = join(ctrd().execRoot, 'c', id.slice(0, 24), 'shim.pid')
    const shim = Number(readFileSync(pidFile, 'utf8'))
    process.kill(shim, 'SIGSTOP')
    try {
      // Half done, it waits for the shim.
      const { code, stderr } = await ctrd().ctr(['network', change, after, name])
      assert.match(stderr, /has not answered for 8 s/)
      assert.equal(code, 1)
      await ctrd().kill9()
    } finally {
      process.kill(shim, 'SIGCONT')
    }
    await ctrd().restart()
    const networks = '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}'
    await waitFor('one network', async () => (await field(ctrd(), name, networks)) === `${before} `)
    const page = await fetch(`http://127.0.0.1:${port}/`)
    assert.equal(await page.text(), 'page\n')
  })
}

for (const change of ['connect', 'disconnect'] as const) {
  test(`a daemon that is killed before /etc/hosts follows a network ${change} leaves networks and file in agreement`, {
    skip,
  }, async () => {
    const [one, other, name] = [`h1-${change}`, `h2-${change}`, `hosts-${change}`]
    for (const network of [one, other]) await ctrd().ok(['network', 'create', network])
    await ctrd().ok(['run', '-d', '--name', name, '--network', one, 'busybox', 'sleep', '1000'])
    if (change === 'disconnect') await ctrd().ok(['network', 'connect', other, name])
    const path = await field(ctrd(), name, '{{.HostsPath}}')
    // Who reads a FIFO waits for what nobody writes: the daemon stands still where it would rewrite the file.
    renameSync(path, `${path}.aside`)
    execFileSync('mkfifo', [path])
    const changed = ctrd().ctr(['network', change, other, name])
    const writer = await waitFor('the daemon to read the file', async () => openForReader(path))
    try {
      await ctrd().kill9()
    } finally {
      closeSync(writer)
      renameSync(`${path}.aside`, path)
    }
    assert.equal((await changed).code, 1)
    await ctrd().restart()
    const addresses = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}'
    await waitFor('one network', async () => {
      const known = (await field(ctrd(), name, addresses)).trim()
      const shown = readFileSync(path, 'utf8').match(/^\d+\.\d+\.\d+\.\d+(?=\t[0-9a-f]{12}$)/gm)
      return !known.includes(' ') && shown?.join() === known
    })
    // Half of a change is none for the next start, either.
    await ctrd().ok(['restart', '-t', '0', name])
    const names = '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}'
    assert.equal(await field(ctrd(), name, names), `${one} `)
  })
}

/** Undefined: nobody has opened the FIFO for reading. fifo(7) */
function openForReader(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
}

test('a running container that has left its last network shows none', { skip }, async () => {
  await ctrd().ok(['network', 'create', 'left'])
  await ctrd().ok(['run', '-d', '--name', 'alone', '--network', 'left', 'busybox', 'sleep', '1000'])
  await ctrd().ok(['network', 'disconnect', 'left', 'alone'])
  assert.equal(await field(ctrd(), 'alone', '{{json .NetworkSettings.Networks}}'), '{}')
})

// dockerd 20.10, step by step; each list is what `inspect` shows after the command.
const moves: Record<string, readonly (readonly [string, string])[]> = {
  'of a network': [
    ['run -d --name mover --network p1 -p 80 busybox sleep 1000', 'p1 +port'],
    ['network disconnect p1 mover', ''],
    ['network connect p2 mover', 'p2 +port'],
    ['restart -t 0 mover', 'p2 +port'],
    ['network connect p1 mover', 'p1 p2 +port'],
    ['restart -t 0 mover', 'p1 p2 +port'],
    ['network disconnect p1 mover', 'p2 +port'],
    ['network disconnect p2 mover', ''],
    ['restart -t 0 mover', ''],
    ['stop -t 0 mover', ''],
    ['start mover', ''],
    ['network connect bridge mover', 'bridge +port'],
    ['restart -t 0 mover', 'bridge +port'],
  ],
  'of the default bridge': [
    ['run -d --name mover -p 80 busybox sleep 1000', 'bridge +port'],
    ['network connect p2 mover', 'bridge p2 +port'],
    ['network disconnect bridge mover', 'p2 +port'],
    ['restart -t 0 mover', 'p2 +port'],
  ],
  'that was created only': [
    ['create --name mover --network p1 busybox sleep 1000', 'p1'],
    ['network disconnect p1 mover', ''],
    ['start mover', ''],
    ['stop -t 0 mover', ''],
    ['network connect p2 mover', 'p2'],
    ['start mover', 'p2'],
  ],
}
for (const [name, steps] of Object.entries(moves)) {
  test(`a container ${name} that has left its network is not back at the next start`, {
    skip,
  }, async () => {
    for (const network of ['p1', 'p2']) await ctrd().ok(['network', 'create', network])
    for (const [command, expected] of steps) {
      await ctrd().ok(command.split(' '))
      assert.equal(await whereIs('mover'), expected, command)
    }
    const last = await whereIs('mover')
    await ctrd().kill9()
    await ctrd().restart()
    await ctrd().ok(['restart', '-t', '0', 'mover'])
    assert.equal(await whereIs('mover'), last)
    const { code, stderr } = await ctrd().ctr(['network', 'disconnect', 'p1', 'mover'])
    assert.match(stderr, /is not connected to (the )?network p1/)
    assert.equal(code, 1)
    await ctrd().ok(['rm', '-f', 'mover'])
    for (const network of ['p1', 'p2']) await ctrd().ok(['network', 'rm', network])
  })
}

/** Names of networks, and whether a port is published. */
async function whereIs(name: string): Promise<string> {
  const format =
    '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}{{range .NetworkSettings.Ports}}+port{{end}}'
  return (await field(ctrd(), name, format)).trim()
}
