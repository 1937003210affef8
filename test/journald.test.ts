import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { requires, run, startDaemon, type TestDaemon, waitFor } from '@ctr/testkit'

/** The log driver against systemd's own journald, in a mount namespace of its own: the host's, if it has one, hears nothing. */
const JOURNALD = '/lib/systemd/systemd-journald'
const SOCKET = '/run/systemd/journal/socket'
const skip = requires({
  root: true,
  commands: ['unshare', 'mount', 'journalctl'],
  files: [JOURNALD, '/etc/machine-id'],
})

/** Volatile, as `Storage=auto` is without /var/log/journal; not the kernel's messages, which a network namespace keeps away. */
const IN_NAMESPACE = `mount --make-rprivate / && mkdir -p /run/systemd /run/log &&
  mount -t tmpfs tmpfs /run/systemd && mount -t tmpfs tmpfs /run/log && mount -t tmpfs tmpfs /var/log &&
  mkdir -p /run/systemd/journal /run/log/journal && exec ${JOURNALD}`

let journald: ChildProcess | undefined
let daemon: TestDaemon
before(async () => {
  if (skip !== false) return
  journald = spawn('unshare', ['--mount', '--net', 'sh', '-c', IN_NAMESPACE], { stdio: 'ignore' })
  await waitFor('journald to listen', async () => existsSync(inNamespace(SOCKET)))
  daemon = await startDaemon({
    bridge: false,
    env: { CTR_JOURNAL_SOCKET: inNamespace(SOCKET) },
  })
})
after(async () => {
  await daemon?.[Symbol.asyncDispose]()
  if (journald === undefined) return
  const ended = new Promise((resolve) => journald?.once('exit', resolve))
  journald.kill('SIGKILL')
  await ended
})

function inNamespace(path: string): string {
  return `/proc/${journald?.pid}/root${path}`
}

type Entry = Readonly<Record<string, string | readonly number[] | null>>

/** Entries of a container in their order, as soon as there are so many. */
async function entries(name: string, count: number): Promise<Entry[]> {
  const argv = ['journalctl', '-D', inNamespace('/run/log/journal'), '-o', 'json', '--all']
  let found: Entry[] = []
  await waitFor(`${count} entries of ${name}`, async () => {
    const { stdout } = await run([...argv, '--no-pager', `CONTAINER_NAME=${name}`])
    found = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): Entry => JSON.parse(line))
    return found.length >= count
  })
  return found
}

test('journalctl shows the fields that dockerd writes', { skip }, async () => {
  const options = ['tag={{.Name}}/{{.ID}}', 'labels=com.example', 'env=COLOUR']
  const id = await daemon.ok(
    ['run', '-d', '--name', 'web', '--log-driver', 'journald'].concat(
      options.flatMap((option) => ['--log-opt', option]),
      ['--label', 'com.example=x', '-e', 'COLOUR=red', '-e', 'OTHER=1', 'busybox'],
      ['sh', '-c', 'echo to stdout; echo to stderr >&2; printf "tab\\t\\303\\251\\n"'],
    ),
  )
  const found = await entries('web', 3)
  const short = id.slice(0, 12)
  for (const entry of found) {
    const { CONTAINER_ID, CONTAINER_ID_FULL, CONTAINER_TAG, IMAGE_NAME, SYSLOG_IDENTIFIER } = entry
    assert.deepEqual(
      [CONTAINER_ID, CONTAINER_ID_FULL, CONTAINER_TAG, IMAGE_NAME, SYSLOG_IDENTIFIER],
      [short, id, `web/${short}`, 'busybox', `web/${short}`],
    )
    assert.deepEqual(
      [entry['COM_EXAMPLE'], entry['COLOUR'], entry['OTHER']],
      ['x', 'red', undefined],
    )
    assert.equal(entry['_TRANSPORT'], 'journal')
    assert.equal(entry['CONTAINER_PARTIAL_ID'], undefined)
  }
  const text = found.map(({ MESSAGE, PRIORITY }) => [PRIORITY, MESSAGE].join(' ')).sort()
  assert.deepEqual(text, ['3 to stderr', '6 tab\té', '6 to stdout'])
  assert.equal(await daemon.ok(['logs', 'web'], {}), 'to stdout\ntab\té')
})

test('the pieces of a long line are counted', { skip }, async () => {
  const script = 'head -c 40000 /dev/zero | tr "\\0" x; echo; echo short'
  const argv = ['run', '-d', '--name', 'long', '--log-driver', 'journald', 'busybox', 'sh', '-c']
  await daemon.ok([...argv, script])
  const found = await entries('long', 4)
  const shown = found.map((entry) => [
    entry['CONTAINER_PARTIAL_MESSAGE'],
    entry['CONTAINER_PARTIAL_ORDINAL'],
    entry['CONTAINER_PARTIAL_LAST'],
    String(entry['MESSAGE']).length,
  ])
  assert.deepEqual(shown, [
    ['true', '1', 'false', 16_384],
    ['true', '2', 'false', 16_384],
    [undefined, '3', 'true', 40_000 - 2 * 16_384],
    [undefined, undefined, undefined, 5],
  ])
  const ids = new Set(found.slice(0, 3).map((entry) => entry['CONTAINER_PARTIAL_ID']))
  assert.equal(ids.size, 1)
  assert.match(String([...ids][0]), /^[0-9a-f]{64}$/)
})
