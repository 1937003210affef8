import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { after, afterEach, before } from 'node:test'
import type { TestDaemon } from '@ctr/testkit'
import { findTestCriu, NO_CRIU, requires, startDaemon, waitFor } from '@ctr/testkit'
import { removeContainers } from './daemon-fixture.ts'

// Checkpoints with a real criu: a process goes on where it was, in the same container and on another daemon.
export const criu = findTestCriu()
export const skip =
  requires({ root: true, commands: ['docker'] }) || (criu === undefined ? NO_CRIU : false)
const COUNT = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'

/** prlimit(2) of another user's process takes a capability that not every machine gives to root. */
export function otherUser(): string[] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  const hasSysResource = (BigInt(`0x${effective ?? '0'}`) >> 24n) & 1n
  return hasSysResource ? ['-u', '1000:1000'] : []
}

export let daemon: TestDaemon
/** For what a test has beside the daemon; of one test file. */
export let directory: string

/** Within a suite: a daemon with criu, without containers at the end of each test. */
export function useCriu(): void {
  before(async () => {
    directory = mkdtempSync('/tmp/ctr-checkpoint-')
    daemon = await startDaemon({ args: ['--criu-path', criu ?? ''] })
  })
  afterEach(() => removeContainers(daemon))
  after(async () => {
    rmSync(directory, { recursive: true, force: true })
    await daemon[Symbol.asyncDispose]()
  })
}

export async function numbers(name: string, of = daemon): Promise<number[]> {
  const text = await of.ok(['logs', name])
  return text.split('\n').map((line) => Number(line.trim()))
}

/** The counter's log from 1 on, without a gap or a repetition: memory, log and output have come through. */
export async function countsOn(name: string, of = daemon): Promise<void> {
  const before = (await numbers(name, of)).length
  await waitFor(`more of ${name}`, async () => (await numbers(name, of)).length > before + 5)
  const all = await numbers(name, of)
  assert.deepEqual(
    all,
    all.map((_, index) => (all[0] ?? 0) + index),
  )
}

export async function startCounter(name: string, ...flags: string[]): Promise<void> {
  await daemon.ok(['run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', COUNT])
  await waitFor('the first numbers', async () => (await numbers(name)).length > 3)
}

/** Told apart from other ends, also by the next daemon. */
export async function assertCheckpointed(name: string, expected: boolean): Promise<void> {
  assert.equal((await daemon.ok(['inspect', name])).includes('"Checkpointed": true'), expected)
  const found = await daemon.ok([
    'ps',
    '-a',
    '--filter',
    'status=checkpointed',
    '--format',
    '{{.Names}} {{.Status}}',
  ])
  if (expected) assert.match(found, new RegExp(`^${name} Exited \\(137\\) .* \\(Checkpointed\\)$`))
  else assert.equal(found, '')
}
