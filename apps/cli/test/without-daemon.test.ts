import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

/** What the CLI answers alone: help, usage errors, nobody there. From source, so without a build. */
const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../src/main.ts')

function ctr(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      CTR_HOST: 'unix:///nonexistent/ctr.sock',
      HOME: '/nonexistent',
    },
  })
  return { code: status, stdout, stderr }
}

describe('ctr without a daemon', () => {
  it('prints help on stdout and succeeds', () => {
    for (const args of [
      [],
      ['--help'],
      ['help'],
      ['run', '--help'],
      ['help', 'run'],
      ['container', 'ls', '--help'],
    ]) {
      const { code, stdout, stderr } = ctr(...args)
      assert.deepEqual([code, stderr], [0, ''], args.join(' '))
      assert.match(stdout, /^Usage: {2}ctr/)
    }
  })

  it('lists every command in its help', () => {
    const { stdout } = ctr()
    for (const name of ['run', 'exec', 'ps', 'volume', 'network', 'cp', 'login']) {
      assert.match(stdout, new RegExp(`^ {2}${name} `, 'm'))
    }
  })

  it('says so when what it prints cannot be written', () => {
    for (const args of [['--help'], ['--version'], ['run', '--help'], ['help', 'volume']]) {
      const full = openSync('/dev/full', 'w')
      const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
        encoding: 'utf8',
        stdio: ['ignore', full, 'pipe'],
      })
      closeSync(full)
      assert.deepEqual([status, stderr], [1, 'ENOSPC: no space left on device, write\n'])
    }
  })

  it('prints its version', () =>
    assert.match(ctr('--version').stdout, /^ctr version \d+\.\d+\.\d+\n$/))

  it('says how to start the daemon', () => {
    assert.deepEqual(ctr('ps'), {
      code: 1,
      stdout: '',
      stderr:
        'Cannot connect to the ctr daemon at unix:///nonexistent/ctr.sock. Is ctrd running? Start it with: ctrd -H unix:///nonexistent/ctr.sock &\n',
    })
    assert.equal(
      ctr('-H', 'tcp://127.0.0.1:1', 'ps').stderr,
      'Cannot connect to the ctr daemon at tcp://127.0.0.1:1. Is ctrd running there, and does it listen on that address?\n',
    )
    assert.equal(ctr('run', 'busybox').code, 125)
    assert.match(ctr('version').stdout, /^Client:\n Version: /)
  })

  for (const [args, code, stderr] of [
    [['nosuch'], 1, "ctr: unknown command: ctr nosuch\n\nRun 'ctr --help' for more information\n"],
    [
      ['rnu'],
      1,
      "ctr: unknown command: ctr rnu\n\nDid you mean 'ctr run'?\n\nRun 'ctr --help' for more information\n",
    ],
    [
      ['compose', 'up'],
      1,
      "ctr: unknown command: ctr compose\n\nCompose works with ctrd: DOCKER_HOST=unix:///var/run/ctr.sock docker compose ...\n\nRun 'ctr --help' for more information\n",
    ],
    [['buildx', 'ls'], 1, /\n\nThere is no BuildKit: ctr build, or bring .* \| ctr load\n\n/],
    [
      ['volume', 'prnue'],
      1,
      "ctr: unknown command: ctr volume prnue\n\nDid you mean 'ctr volume prune'?\n\nUsage:  ctr volume COMMAND\n\nRun 'ctr volume --help' for more information\n",
    ],
    [
      ['ps', '--filtr', 'x'],
      125,
      "unknown flag: --filtr (did you mean --filter?)\n\nUsage:  ctr ps [OPTIONS]\n\nRun 'ctr ps --help' for more information\n",
    ],
    [['--log-level', 'foo', 'ps'], 1, 'Unable to parse logging level: foo\n'],
    [
      ['system', 'prune', '--volumes', '--filter', 'until=1h', '-f'],
      1,
      'ERROR: The "until" filter is not supported with "--volumes"\n',
    ],
    [
      ['inspect', '--type', '', 'x'],
      1,
      'type is empty: must be one of "config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"\n',
    ],
    [
      ['create', '--platform', 'a/b/c/d', 'x'],
      1,
      'error parsing specified platform: "a/b/c/d": cannot parse platform specifier: invalid argument\n',
    ],
    [
      ['run', '--use-api-socket', 'x'],
      125,
      "ctr: --use-api-socket is not served: it would hand your logins to the container. To hand it the daemon: -v /run/ctr/ctr.sock:/var/run/docker.sock\n\nRun 'ctr run --help' for more information\n",
    ],
    [
      ['run', '--detach-keys', 'ctrl-nope', 'x'],
      125,
      /^ctr: invalid detach keys \(ctrl-nope\) provided: /,
    ],
    [['attach', '--detach-keys', 'ctrl-nope', 'x'], 125, /^ctr: invalid detach keys/],
    [['exec', '--detach-keys', 'ctrl-nope', 'x', 'true'], 125, /^ctr: invalid detach keys/],
    [['start', '-a', '--detach-keys', 'ctrl-nope', 'x'], 125, /^ctr: invalid detach keys/],
    [
      ['run', '--nope', 'x'],
      125,
      "unknown flag: --nope\n\nUsage:  ctr run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'ctr run --help' for more information\n",
    ],
    [
      ['run'],
      1,
      "ctr: 'ctr run' requires at least 1 argument\n\nUsage:  ctr run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nSee 'ctr run --help' for more information\n",
    ],
    [
      ['tag', 'x'],
      1,
      "ctr: 'ctr tag' requires 2 arguments\n\nUsage:  ctr tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\nRun 'ctr tag --help' for more information\n",
    ],
    [
      ['run', '--rm', '--restart', 'always', 'busybox'],
      125,
      "ctr: conflicting options: cannot specify both --restart and --rm\n\nRun 'ctr run --help' for more information\n",
    ],
    [['run', '-it', 'busybox'], 1, 'the input device is not a TTY\n'],
    [
      ['run', '-d', '-a', 'stdout', 'busybox'],
      1,
      'conflicting options: cannot specify both --attach and --detach\n',
    ],
    [
      ['run', '-p', 'foo', 'busybox'],
      125,
      "ctr: invalid containerPort: foo\n\nRun 'ctr run --help' for more information\n",
    ],
    [['ps', '--format', '{{'], 1, ''],
  ] as const) {
    it(`ctr ${args.join(' ')}: ${code}`, () => {
      const result = ctr(...args)
      assert.equal(result.code, code)
      if (stderr instanceof RegExp) assert.match(result.stderr, stderr)
      else if (stderr !== '') assert.deepEqual([result.stdout, result.stderr], ['', stderr])
    })
  }
})
