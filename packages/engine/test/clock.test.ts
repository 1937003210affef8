// needs: root, busybox-static, the native shim
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Clock,
  createContainer,
  type Engine,
  getContainer,
  openEngine,
  SILENT,
  startContainer,
  stopContainer,
  systemClock,
} from '@ctr/engine'
import { removeCgroup } from '@ctr/linux'
import { loadBusybox, newTestConfig, removeAll } from './support.ts'

const YEAR_NS = 365n * 86_400n * 1_000_000_000n

/** A wall clock that somebody has set; time passes as before. */
function clockSetBy(offsetNs: bigint): Clock {
  return { ...systemClock, nowNs: () => systemClock.nowNs() + offsetNs }
}

/** `first` in an engine with one clock, `second` in the next one with another. */
async function acrossClocks<T>(
  offsets: readonly [bigint, bigint],
  first: (engine: Engine) => Promise<T>,
  second: (engine: Engine, value: T) => Promise<void>,
): Promise<void> {
  const { root, config } = newTestConfig({})
  let engine = await openEngine(config, SILENT, clockSetBy(offsets[0]))
  try {
    await loadBusybox(engine)
    const value = await first(engine)
    await engine[Symbol.asyncDispose]()
    engine = await openEngine(config, SILENT, clockSetBy(offsets[1]))
    await second(engine, value)
  } finally {
    await removeAll(engine)
    await engine[Symbol.asyncDispose]()
    await removeCgroup(engine.host.cgroups, config.cgroupParent)
    rmSync(root, { recursive: true, force: true })
  }
}

async function start(
  engine: Engine,
  command: readonly string[],
  hostConfig: object,
): Promise<string> {
  const { id } = await createContainer(engine, {
    config: { Image: 'busybox', Cmd: [...command] },
    hostConfig: { NetworkMode: 'none', ...hostConfig },
  })
  await startContainer(engine, id)
  return id
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 120_000; !condition(); ) {
    assert.ok(performance.now() < deadline, 'time ran out')
    await delay(5)
  }
}

test('a clock that was set back by a year does not put off a restart', async () => {
  await acrossClocks(
    [YEAR_NS, 0n],
    async (engine) => {
      const policy = { Name: 'always', MinimumDelay: 1_000_000_000 }
      const id = await start(engine, ['false'], { RestartPolicy: policy })
      await until(() => getContainer(engine, id).state.status === 'restarting')
      return id
    },
    async (engine, id) => {
      const { restartCount } = getContainer(engine, id)
      await until(() => getContainer(engine, id).restartCount > restartCount)
    },
  )
})

test('a clock that was set forward by a year does not end a run that has time left', async () => {
  await acrossClocks(
    [0n, YEAR_NS],
    async (engine) => await start(engine, ['sleep', '1000'], { RunTimeout: 3600 }),
    async (engine, id) => {
      // What was due would have been done before what is asked for now.
      await start(engine, ['true'], {})
      assert.equal(getContainer(engine, id).state.status, 'running')
    },
  )
})

test('a clock that was set back by a year does not put off the end of a run', async () => {
  await acrossClocks(
    [YEAR_NS, 0n],
    async (engine) => await start(engine, ['sleep', '1000'], { RunTimeout: 2 }),
    async (engine, id) => {
      await until(() => getContainer(engine, id).state.status === 'exited')
      assert.equal(getContainer(engine, id).state.exitCode, 137)
    },
  )
})

/** A container that SIGTERM does not end, and a stop of it whose grace the engine does not live to see the end of. */
async function startStop(engine: Engine, timeoutSeconds: number): Promise<string> {
  const id = await start(engine, ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'], {})
  void stopContainer(engine, id, { timeoutSeconds }).catch(() => undefined)
  await until(() => engine.containers.get(id).bookkeeping.killAtNs !== 0n)
  return id
}

test('a clock that was set back by a year does not put off the end of a stop', async () => {
  await acrossClocks(
    [YEAR_NS, 0n],
    async (engine) => await startStop(engine, 2),
    async (engine, id) => {
      await until(() => getContainer(engine, id).state.status === 'exited')
      assert.equal(getContainer(engine, id).state.exitCode, 137)
    },
  )
})

test('a clock that was set forward by a year leaves a stop its grace', async () => {
  await acrossClocks(
    [0n, YEAR_NS],
    async (engine) => await startStop(engine, 3600),
    async (engine, id) => {
      // What was due would have been done before what is asked for now.
      await start(engine, ['true'], {})
      assert.equal(getContainer(engine, id).state.status, 'running')
    },
  )
})
