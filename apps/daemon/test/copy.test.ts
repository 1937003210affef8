// needs: root, docker's CLI, dockerd. Every form of `docker cp` does the same with both daemons.
import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { requires, run, startDaemon, type TestDaemon } from '@ctr/testkit'

const skip = requires({ root: true, commands: ['docker', 'dockerd', 'bash'] })

/** What is in each container before a command. */
const SETUP = `rm -rf /d /e /f /ld /lx /ldang /nd /new /file /relative /empty
mkdir -p /d/sub /e /nd; echo x >/d/x; echo y >/d/sub/y; ln -s /d /ld; ln -s d/x /lx; ln -s /nope /ldang
chown -R 1234:1234 /d/sub; chmod 2750 /d/sub; mkfifo /d/fifo; ln /d/x /d/hard; echo old >/f; rm -rf /vol/*`
const LIST = `find /d /e /f /new /nd /vol /relative /file /empty /ldang /lx 2>/dev/null | sort |
while read p; do stat -c '%n %F %a %u:%g %N' "$p"; [ -f "$p" ] && [ ! -L "$p" ] && cat "$p"; done; true`

/** In a directory made by \`fillHost\`; \`cc\` is the container. */
const SAME = [
  ...[
    'cc:/new',
    'cc:/f',
    'cc:/d',
    'cc:/d/',
    'cc:/nope/x',
    'cc:/ld',
    'cc:/lx',
    'cc:/ldang',
    'cc:relative',
    'cc:/',
  ].map((to) => `docker cp file ${to}`),
  ...[
    'dir cc:/new',
    'dir cc:/new/',
    'dir/. cc:/new',
    'dir cc:/d',
    'dir/ cc:/d',
    'dir cc:/ld',
    'lfile cc:/new',
  ].map((what) => `docker cp ${what}`),
  ...[
    '-L lfile cc:/new',
    'ldir cc:/new',
    '-L ldir cc:/new',
    'ldir/ cc:/new',
    'dangling cc:/new',
  ].map((what) => `docker cp ${what}`),
  ...['-a file cc:/new', '-a dir cc:/new', 'nothing cc:/new', 'file nobody:/x', 'empty cc:/d'].map(
    (what) => `docker cp ${what}`,
  ),
  ...['/d', '/new', '/f'].map((to) => `tar c dir file | docker cp - cc:${to}`),
  ...['z', 'j', 'J'].map((how) => `tar c${how} dir file | docker cp - cc:/d`),
  'docker cp - cc:/d </dev/null',
  ...['.', 'out/exist', 'out/f', 'out/nope', 'out/nope/', 'out/nope/nope'].map(
    (to) => `docker cp cc:/d/x ${to}`,
  ),
  ...['/d out/new', '/d out', '/d/ out', '/d/. out', '/d/. out/new', '/d out/f', '/ld out'].map(
    (what) => `docker cp cc:${what}`,
  ),
  ...['/ld out', '/lx out', '/ldang out'].map((what) => `docker cp -L cc:${what}`),
  ...['/ld/ out', '/ld/. out', '/lx out', '/ldang out', '/nope out', 'd/x out'].map(
    (what) => `docker cp cc:${what}`,
  ),
  ...['/d/fifo out', '/d/sub/../x out'].map((what) => `docker cp cc:${what}`),
  'docker cp -a cc:/d out',
  'docker cp -q cc:/d out',
  ...['/d', '/d/x', '/d/.', '/lx', '/ld/'].map(
    (what) => `docker cp cc:${what} - | tar tv --numeric-owner | sed 's/20..-..-.. ..:..//'`,
  ),
  'docker cp file cc:/vol',
  'docker cp file cc:/ro',
  'docker cp file cc:/ro/',
]

/** The refusals whose texts differ: ours have no host paths, and no name of a helper process. */
const SAME_BUT_TEXT = [
  'docker cp cc:/d/x/y out',
  'docker cp cc:/d/x/ out',
  'head -c 3000 /dev/zero | tr "\\0" x | docker cp - cc:/d',
  'tar c empty file | head -c 700 | docker cp - cc:/nd',
  'mkdir x; cp file x/d; docker cp x/d cc:/',
  'mkdir -p y/f; docker cp y/f cc:/',
]

describe('docker cp, compared with dockerd', { skip }, () => {
  let ours: TestDaemon
  let reference: TestDaemon
  let directory: string

  before(async () => {
    directory = mkdtempSync('/tmp/ctr-copy-')
    ;[ours, reference] = await Promise.all([
      startDaemon({ bridge: false }),
      startDaemon({ bridge: false, engine: 'dockerd' }),
    ])
    for (const daemon of [ours, reference]) {
      const args = ['--network', 'none', '-v', 'vv:/vol', '-v', 'rr:/ro:ro', 'busybox']
      const { code, stderr } = await daemon.docker([
        'run',
        '-d',
        '--name',
        'cc',
        ...args,
        'sleep',
        '100000',
      ])
      assert.equal(code, 0, stderr)
    }
  })
  after(async () => {
    for (const daemon of [ours, reference]) {
      await daemon?.docker(['rm', '-f', '-v', 'cc'])
      await daemon?.[Symbol.asyncDispose]()
    }
    rmSync(directory, { recursive: true })
  })

  async function outcome(daemon: TestDaemon, command: string): Promise<Outcome> {
    const host = join(directory, 'host')
    rmSync(host, { recursive: true, force: true })
    fillHost(host)
    await daemon.docker(['exec', 'cc', 'sh', '-c', SETUP])
    const env = { ...daemon.clientEnvironment, DOCKER_HOST: `unix://${daemon.socketPath}` }
    const { code, stdout, stderr } = await run(['bash', '-c', command], { cwd: host, env })
    const container = await daemon.docker(['exec', 'cc', 'sh', '-c', LIST])
    const text = { stdout, stderr: withoutClientLog(stderr) }
    return { code, ...text, container: container.stdout, host: treeOf(host) }
  }

  for (const command of SAME) {
    it(command, async () => {
      assert.deepEqual(await outcome(ours, command), await outcome(reference, command))
    })
  }
  for (const command of SAME_BUT_TEXT) {
    it(`${command} (but for the text)`, async () => {
      const [a, b] = [await outcome(ours, command), await outcome(reference, command)]
      assert.notEqual(a.stderr, '')
      assert.deepEqual({ ...a, stderr: '' }, { ...b, stderr: '' })
    })
  }
})

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly container: string
  readonly host: readonly string[]
}

/** Docker's CLI complains about the pipe to itself that it closes. */
function withoutClientLog(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => !/^time="[^"]*" level=error msg="Can't (?:add|close)/.test(line))
    .join('\n')
}

function fillHost(host: string): void {
  for (const path of ['dir/sub', 'empty', 'out/exist']) {
    mkdirSync(join(host, path), { recursive: true })
  }
  for (const [path, text] of [
    ['file', 'file\n'],
    ['dir/a', 'a'],
    ['dir/sub/b', 'bb'],
    ['out/f', 'old'],
  ] as const) {
    writeFileSync(join(host, path), text)
  }
  for (const [path, target] of [
    ['lfile', 'file'],
    ['ldir', 'dir'],
    ['dangling', 'nowhere'],
    ['dir/up', 'sub/b'],
    ['dir/abs', '/etc/none'],
  ] as const) {
    symlinkSync(target, join(host, path))
  }
  linkSync(join(host, 'dir/a'), join(host, 'dir/sub/hard'))
  chownSync(join(host, 'file'), 1000, 1001)
  chmodSync(join(host, 'file'), 0o4750)
}

function treeOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const full = join(directory, path)
      const stats = lstatSync(full)
      const content = stats.isSymbolicLink()
        ? readlinkSync(full)
        : stats.isFile()
          ? readFileSync(full, 'utf8')
          : ''
      return `${path} ${stats.mode.toString(8)} ${stats.uid}:${stats.gid} ${content}`
    })
}
