import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { EventTable, openStore, type Store } from '@ctr/store'
import { systemClock } from './clock.ts'
import { EventLog, type NewEvent } from './events.ts'
import { compileEventFilter, subscribeEvents } from './subscribe.ts'

const event = (action: string, attributes: Record<string, string> = {}): NewEvent => ({
  type: 'container',
  action,
  actorId: 'c1',
  attributes,
})

const DAY_NS = 86_400_000_000_000n
const YEAR_NS = 365n * DAY_NS

describe('events', () => {
  let store: Store
  let events: EventLog
  beforeEach(() => {
    store = openStore(':memory:')
    events = new EventLog(store, new EventTable(store), systemClock)
  })

  test('are rows in order, with times that only grow, and published after the commit', () => {
    const seen: string[] = []
    using _listener = events.listen(({ action }) => seen.push(action))
    events.commit('durable', () => {
      events.add(event('create'))
      events.add(event('start'))
      assert.deepEqual(seen, [])
    })
    assert.deepEqual(seen, ['create', 'start'])
    const [a, b] = events.history(0n, 2n ** 62n, 0n, 10)
    assert.ok(a && b && a.timeNs < b.timeNs)
  })

  test('of a range of time are found, both ends included, also after gaps', () => {
    assert.deepEqual(events.history(0n, 2n ** 62n, 0n, 10), [])
    for (let i = 0; i < 20; i++) events.emit(event(String(i)))
    store.db.exec('DELETE FROM events WHERE sequence IN (1, 4, 5, 6, 12, 20)')
    const all = events.history(0n, 2n ** 62n, 0n, 100)
    assert.equal(all.length, 14)
    for (const [i, { timeNs: since }] of all.entries()) {
      for (const [j, { timeNs: until }] of all.entries()) {
        const expected = i <= j ? all.slice(i, j + 1) : []
        assert.deepEqual(events.history(since, until, 0n, 100), expected)
        const inner = events.history(since + 1n, until - 1n, 0n, 100)
        assert.deepEqual(inner, i < j ? all.slice(i + 1, j) : [])
      }
    }
    const [, , third, fourth] = all
    assert.deepEqual(events.history(0n, 2n ** 62n, third?.sequence ?? 0n, 1), [fourth])
  })

  test('are found by their time also after the clock was set back', () => {
    let now = 1_000_000n * 1_000_000_000n
    const clock = { ...systemClock, nowNs: () => (now += 1000n) }
    events = new EventLog(store, new EventTable(store), clock)
    const emit = (...actions: string[]): void =>
      actions.forEach((action) => events.emit(event(action)))
    const found = (sinceNs: bigint, untilNs: bigint): string[] =>
      events.history(sinceNs, untilNs, 0n, 100).map(({ action }) => action)
    emit('before')
    const start = now
    now += YEAR_NS
    emit('a year on', 'and on')
    now -= YEAR_NS
    // Of a step back that is taken back itself nothing is left.
    assert.throws(() =>
      events.commit('durable', () => {
        events.add(event('never'))
        throw new Error('no')
      }),
    )
    emit('back', 'again')
    assert.deepEqual(found(0n, start), ['before'])
    assert.deepEqual(found(start + 1n, now), ['a year on', 'and on', 'back', 'again'])
    // A small step is not one: strictly in order, a little ahead of the clock.
    now -= 10_000_000_000n
    emit('later')
    assert.deepEqual(found(now, now + 60_000_000_000n).at(-1), 'later')
    const times = events.history(0n, 2n ** 62n, 0n, 100).map(({ timeNs }) => timeNs)
    assert.ok(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0n)))
    assert.equal(times.length, 6)
  })

  test('of a transaction that fails nothing is seen and memory is taken back', () => {
    const seen: string[] = []
    using _listener = events.listen(({ action }) => seen.push(action))
    const undone: number[] = []
    assert.throws(() =>
      events.commit('durable', () => {
        events.add(event('create'))
        events.onRollback(() => undone.push(1))
        events.onRollback(() => undone.push(2))
        throw new Error('no')
      }),
    )
    assert.deepEqual([seen, undone, events.history(0n, 2n ** 62n, 0n, 10)], [[], [2, 1], []])
  })

  test('a subscriber gets history, then live events, each once, until it leaves', async () => {
    const engine = { events, clock: systemClock }
    events.emit(event('old'))
    const controller = new AbortController()
    const subscription = subscribeEvents(
      engine,
      { sinceNs: 0n, filters: new Map() },
      controller.signal,
    )
    assert.equal((await subscription.next()).value?.action, 'old')
    const next = subscription.next()
    events.emit(event('new'))
    assert.equal((await next).value?.action, 'new')
    const last = subscription.next()
    controller.abort()
    assert.equal((await last).done, true)
    assert.equal(events.listenerCount, 0)
  })

  test('with until in the past it ends after the history', async () => {
    events.emit(event('old'))
    const found: string[] = []
    const untilNs = systemClock.nowNs()
    const engine = { events, clock: systemClock }
    for await (const one of subscribeEvents(
      engine,
      { sinceNs: 0n, untilNs, filters: new Map() },
      new AbortController().signal,
    )) {
      found.push(one.action)
    }
    assert.deepEqual(found, ['old'])
  })

  test('filters', () => {
    const matches = (filters: [string, string[]][], one: NewEvent): boolean =>
      compileEventFilter(new Map(filters))({ ...one, sequence: 1n, timeNs: 1n })
    const start = event('exec_start: sh', { image: 'busybox:1', name: 'n', k: 'v' })
    assert.ok(matches([['event', ['exec_start']]], start))
    assert.ok(!matches([['event', ['exec']]], start))
    assert.ok(matches([['image', ['busybox']]], start))
    assert.ok(matches([['container', ['n']]], start))
    assert.ok(
      matches(
        [
          ['container', ['c1']],
          ['type', ['container', 'volume']],
        ],
        start,
      ),
    )
    assert.ok(matches([['label', ['k=v']]], start))
    assert.ok(!matches([['label', ['k=w']]], start))
    assert.ok(!matches([['volume', ['n']]], start))
    // As dockerd: beginnings of names and ids, images with and without their tag, nothing for unknown keys.
    assert.ok(matches([['container', ['c']]], start))
    assert.ok(matches([['image', ['busybox:1']]], start))
    assert.ok(!matches([['image', ['busy']]], start))
    assert.ok(
      matches([['image', ['busybox']]], {
        ...start,
        type: 'image',
        attributes: { name: 'busybox:1' },
      }),
    )
    assert.ok(matches([['bogus', ['x']]], start))
    assert.ok(!matches([['plugin', ['x']]], start))
  })

  test('the newest are kept, also while it grows', async () => {
    const kept = (): string[] => events.history(0n, 2n ** 62n, 0n, 5000).map(({ action }) => action)
    for (let index = 0; index < 10; index++) events.emit(event(`e${index}`))
    events.keep({ rows: 3, days: 1 })
    assert.deepEqual(kept(), ['e7', 'e8', 'e9'])
    for (let index = 0; index < 1000; index++) events.emit(event(`f${index}`))
    await setImmediate()
    assert.deepEqual(kept(), ['f997', 'f998', 'f999'])
    for (let index = 0; index < 10; index++) events.emit(event(`g${index}`))
    await setImmediate()
    assert.equal(kept().length, 13)
  })

  test('those that are too old go, but for the newest of all', () => {
    let now = systemClock.nowNs() - 3n * DAY_NS
    const old = new EventLog(store, new EventTable(store), { ...systemClock, nowNs: () => now })
    for (const action of ['a', 'b']) old.emit(event(action))
    old.keep({ rows: 100, days: 4 })
    assert.equal(old.history(0n, 2n ** 62n, 0n, 10).length, 2)
    now += 3n * DAY_NS
    old.keep({ rows: 100, days: 1 })
    assert.deepEqual(
      old.history(0n, 2n ** 62n, 0n, 10).map(({ action }) => action),
      ['b'],
    )
  })
})
