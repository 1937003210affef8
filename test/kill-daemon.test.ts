import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestDaemon } from '@ctr/testkit'
import { requires, startDaemon, waitFor } from '@ctr/testkit'
import { Tenant } from './kill-daemon-tenant.ts'

const skip = requires({ root: true })
const MOMENTS = 30
const WORKERS = 4

/**
 * kill -9 of ctrd at random moments while clients create, start, exec, stop and remove. Each client remembers what it was told;
 * after each return of the daemon what it was told must be true. CTR_TEST_SEED repeats the choices of a run.
 */
test('kill -9 at 30 random moments under load loses nothing and leaves nothing', {
  skip,
}, async (t) => {
  const seed = Number(process.env['CTR_TEST_SEED'] ?? randomInt(1, 2 ** 31))
  t.diagnostic(`seed ${seed}`)
  const random = randomNumbers(seed)
  const problems: Problems = { lost: [], ghosts: [], wrongCodes: [], leaks: [] }
  const daemon = await startDaemon()
  try {
    const tenants = Array.from(
      { length: WORKERS },
      (_, index) => new Tenant(daemon, `w${index}`, random),
    )
    for (let moment = 0; moment < MOMENTS; moment++) {
      const working = tenants.map((tenant) => tenant.work())
      await delay(20 + random() * 400)
      await daemon.kill9()
      await Promise.all(working)
      await daemon.restart()
      await compare(daemon, tenants, problems)
    }
    const counts = tenants.map(({ done }) => done).reduce((sum, each) => sum + each, 0)
    t.diagnostic(`${counts} operations were acknowledged`)
    await removeAll(daemon)
    for (const name of ['c', 'x']) {
      const left = await waitFor(
        `empty ${name}`,
        () => entries(`${daemon.execRoot}/${name}`).length === 0,
      ).catch(() => false)
      if (left === false)
        problems.leaks.push(
          `runtime directories ${name}: ${entries(`${daemon.execRoot}/${name}`).join(' ')}`,
        )
    }
    problems.leaks.push(
      ...entries(`${daemon.dataRoot}/containers`).map((name) => `container directory ${name}`),
    )
  } finally {
    try {
      await daemon[Symbol.asyncDispose]()
    } catch (error) {
      problems.leaks.push(String(error))
    }
  }
  assert.deepEqual(problems, { lost: [], ghosts: [], wrongCodes: [], leaks: [] }, `seed ${seed}`)
})

interface Problems {
  readonly lost: string[]
  readonly ghosts: string[]
  readonly wrongCodes: string[]
  readonly leaks: string[]
}

async function compare(
  daemon: TestDaemon,
  tenants: readonly Tenant[],
  problems: Problems,
): Promise<void> {
  const listed = new Map<string, string>()
  const running = new Set<string>()
  for (const { Id, Names, State } of await list(daemon)) {
    listed.set(Names[0]?.slice(1) ?? '', Id)
    if (State === 'running') running.add(Id)
  }
  for (const tenant of tenants) {
    const result = await tenant.compare(listed)
    problems.lost.push(...result.lost)
    problems.ghosts.push(...result.ghosts)
    problems.wrongCodes.push(...result.wrongCodes)
  }
  const known = new Set(tenants.flatMap((tenant) => tenant.names))
  for (const name of listed.keys())
    if (!known.has(name)) problems.ghosts.push(`${name} is listed, and nobody made it`)
  // A process in a container's cgroup without a running container is one without an owner.
  const orphans = await waitFor('the end of processes without a container', async () => {
    const now = new Set(
      (await list(daemon)).filter(({ State }) => State === 'running').map(({ Id }) => Id),
    )
    return containersWithProcesses(daemon.cgroup).every((id) => now.has(id))
  }).catch(() => undefined)
  if (orphans === undefined) {
    const now = new Set(
      (await list(daemon)).filter(({ State }) => State === 'running').map(({ Id }) => Id),
    )
    problems.leaks.push(
      ...containersWithProcesses(daemon.cgroup)
        .filter((id) => !now.has(id))
        .map((id) => `processes of ${id}`),
    )
  }
}

async function list(daemon: TestDaemon): Promise<{ Id: string; Names: string[]; State: string }[]> {
  return (await daemon.request('GET', '/containers/json?all=1')).json() as {
    Id: string
    Names: string[]
    State: string
  }[]
}

async function removeAll(daemon: TestDaemon): Promise<void> {
  for (const { Id } of await list(daemon))
    await daemon.request('DELETE', `/containers/${Id}?force=1&v=1`)
}

function containersWithProcesses(cgroup: string): string[] {
  const ids = new Set<string>()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) continue
      const match = new RegExp(`/${cgroup}/([0-9a-f]{64})`).exec(
        readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
      )
      if (match?.[1] !== undefined) ids.add(match[1])
    } catch {
      // it has gone meanwhile
    }
  }
  return [...ids]
}

function entries(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : []
}

/** mulberry32: small, and the same on every machine. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
