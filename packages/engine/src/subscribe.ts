import type { Filters } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import { matchesLabel } from './container/query.ts'
import type { Engine } from './engine.ts'
import type { EngineEvent } from './events.ts'

export interface EventQuery {
  /** Absent: only what happens from now on. */
  readonly sinceNs?: bigint
  /** The subscription ends then. */
  readonly untilNs?: bigint
  readonly filters: Filters
}

const BATCH = 500
/** A subscriber that is this far behind is cut off rather than let grow. */
const MAX_QUEUED = 10_000

/** History first (if asked for), then live, without a gap or a repetition; ends at `untilNs` or with `signal`. */
export async function* subscribeEvents(
  engine: Pick<Engine, 'events' | 'clock'>,
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  const isWanted = compileEventFilter(query.filters)
  const queue = new LiveQueue(engine, query.untilNs, signal)
  using _queue = queue
  let last = 0n
  if (query.sinceNs !== undefined) {
    const untilNs = query.untilNs ?? engine.clock.nowNs() + YEAR_NS
    for (;;) {
      const batch = engine.events.history(query.sinceNs, untilNs, last, BATCH)
      for (const event of batch) {
        last = event.sequence
        if (isWanted(event)) yield event
      }
      if (batch.length < BATCH || signal.aborted) break
    }
  }
  for await (const event of queue.events()) {
    // It was in the history, too.
    if (event.sequence > last && isWanted(event)) yield event
  }
}

const YEAR_NS = 365n * 86_400_000_000_000n

/** Collects events from its construction on. */
class LiveQueue implements Disposable {
  #events: EngineEvent[] = []
  #isOver = false
  #error: EngineError | undefined
  #wake: () => void = () => undefined
  readonly #stack = new DisposableStack()
  readonly #untilNs: bigint | undefined

  constructor(
    engine: Pick<Engine, 'events' | 'clock'>,
    untilNs: bigint | undefined,
    signal: AbortSignal,
  ) {
    this.#untilNs = untilNs
    this.#stack.use(engine.events.listen((event) => this.#push(event)))
    const end = (): void => this.#end()
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    this.#stack.defer(() => signal.removeEventListener('abort', end))
    if (untilNs === undefined) return
    const leftMs = Number((untilNs - engine.clock.nowNs()) / 1_000_000n)
    if (leftMs <= 0) end()
    else this.#stack.use(engine.clock.after(leftMs, end))
  }

  async *events(): AsyncGenerator<EngineEvent> {
    for (;;) {
      const batch = this.#events
      this.#events = []
      yield* batch
      if (this.#error !== undefined) throw this.#error
      if (this.#events.length > 0) continue
      if (this.#isOver) return
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  #push(event: EngineEvent): void {
    if (this.#untilNs !== undefined && event.timeNs > this.#untilNs) return
    if (this.#events.length >= MAX_QUEUED) {
      this.#error = new EngineError('UNAVAILABLE', 'the client reads events too slowly')
      this.#stack.dispose()
    } else {
      this.#events.push(event)
    }
    this.#wake()
  }

  #end(): void {
    this.#isOver = true
    this.#wake()
  }
}

/** Values of one filter are alternatives (labels must all hold), filters must all hold. moby daemon/events/filter.go */
export function compileEventFilter(filters: Filters): (event: EngineEvent) => boolean {
  const predicates = [...filters]
    .filter(([, values]) => values.length > 0)
    .map(([key, values]) => compileOne(key, values))
  return (event) => predicates.every((predicate) => predicate(event))
}

function compileOne(key: string, values: readonly string[]): (event: EngineEvent) => boolean {
  switch (key) {
    case 'event':
      // `exec_create` stands for `exec_create: sh -c true`.
      return ({ action }) =>
        values.some((value) => action === value || action.startsWith(`${value}:`))
    case 'type':
      return ({ type }) => values.includes(type)
    case 'scope':
      return () => values.includes('local')
    case 'label':
      return ({ attributes }) => values.every((value) => matchesLabel(attributes, value))
    case 'image':
      return (event) => imageNames(event).some((name) => values.includes(name))
    case 'container':
    case 'volume':
    case 'network':
    case 'daemon':
    case 'secret':
    case 'config':
    case 'node':
    case 'plugin':
    case 'service':
      return ({ type, actorId, attributes }) =>
        type === key && values.some((value) => isActor(actorId, attributes, value))
    default:
      // Unknown ones are not refused and mean nothing.
      return () => true
  }
}

/** The beginning of an id or name. moby filter.go fuzzyMatchName */
function isActor(id: string, attributes: Readonly<Record<string, string>>, value: string): boolean {
  return id.startsWith(value) || (attributes['name'] ?? '').startsWith(value)
}

/** What an event's image is called: id and name, with and without the tag. moby filter.go matchImage */
function imageNames({ type, actorId, attributes }: EngineEvent): string[] {
  const name = attributes[type === 'image' ? 'name' : 'image'] ?? ''
  return [actorId, name, withoutTag(actorId), withoutTag(name)].filter((text) => text !== '')
}

function withoutTag(name: string): string {
  return /^(.+):[^:/]*$/.exec(name)?.[1] ?? name
}
