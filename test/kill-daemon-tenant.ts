import { existsSync } from 'node:fs'
import type { TestDaemon } from '@ctr/testkit'
import { waitFor } from '@ctr/testkit'

/** `unknown`: the daemon died before it answered. */
type Told = 'no' | 'yes' | 'unknown'

interface Owned {
  readonly name: string
  /** The exit code of a program that ends by itself; undefined for one that sleeps. */
  readonly exitCode: number | undefined
  created: Told
  started: Told
  stopped: Told
  removed: Told
  /** As the daemon said while it ran: must not change. */
  pid: number
}

interface Comparison {
  readonly lost: string[]
  readonly ghosts: string[]
  readonly wrongCodes: string[]
}

interface State {
  readonly Status: string
  readonly ExitCode: number
  readonly Pid: number
}

/** A client with containers of its own, which remembers what it was told about each. */
export class Tenant {
  /** Operations that were answered. */
  done = 0
  readonly #daemon: TestDaemon
  readonly #prefix: string
  readonly #random: () => number
  #owned: Owned[] = []
  #next = 0

  constructor(daemon: TestDaemon, prefix: string, random: () => number) {
    this.#daemon = daemon
    this.#prefix = prefix
    this.#random = random
  }

  get names(): string[] {
    return this.#owned.map(({ name }) => name)
  }

  /** One operation after the other, until the daemon does not answer any more. */
  async work(): Promise<void> {
    while (await this.#step());
  }

  async #step(): Promise<boolean> {
    const usable = this.#owned.filter(
      ({ created, removed }) => created === 'yes' && removed === 'no',
    )
    const choice = this.#random()
    if (usable.length < 2 || (choice < 0.25 && usable.length < 6)) return await this.#create()
    const one = usable[Math.floor(this.#random() * usable.length)]
    if (one === undefined) return await this.#create()
    if (choice < 0.5) return await this.#start(one)
    if (choice < 0.7) return await this.#exec(one)
    if (choice < 0.85) return await this.#stop(one)
    return await this.#remove(one)
  }

  async #create(): Promise<boolean> {
    const exitCode = this.#random() < 0.5 ? Math.floor(this.#random() * 100) : undefined
    const name = `${this.#prefix}-${this.#next++}`
    const one: Owned = {
      name,
      exitCode,
      created: 'unknown',
      started: 'no',
      stopped: 'no',
      removed: 'no',
      pid: 0,
    }
    this.#owned.push(one)
    const Cmd = exitCode === undefined ? ['sleep', '1000'] : ['sh', '-c', `exit ${exitCode}`]
    const status = await this.#call('POST', `/containers/create?name=${name}`, {
      Image: 'busybox',
      Cmd,
    })
    if (status === undefined) return false
    one.created = status === 201 ? 'yes' : 'no'
    return true
  }

  async #start(one: Owned): Promise<boolean> {
    if (one.started !== 'no') return true
    one.started = 'unknown'
    const status = await this.#call('POST', `/containers/${one.name}/start`)
    if (status === undefined) return false
    one.started = status === 204 ? 'yes' : 'no'
    if (one.started === 'yes' && one.exitCode === undefined) {
      const state = await this.#state(one)
      if (state === undefined) return false
      one.pid = state.Pid
    }
    return true
  }

  async #exec(one: Owned): Promise<boolean> {
    if (one.started !== 'yes' || one.stopped !== 'no' || one.exitCode !== undefined) return true
    const body = { Cmd: ['sh', '-c', 'exit 5'] }
    const response = await this.#daemon
      .request('POST', `/containers/${one.name}/exec`, body)
      .catch(() => undefined)
    if (response === undefined) return false
    const { Id } = response.json() as { Id: string }
    return (await this.#call('POST', `/exec/${Id}/start`, { Detach: true })) !== undefined
  }

  async #stop(one: Owned): Promise<boolean> {
    if (one.started !== 'yes' || one.stopped !== 'no') return true
    one.stopped = 'unknown'
    const status = await this.#call('POST', `/containers/${one.name}/stop?t=0`)
    if (status === undefined) return false
    one.stopped = 'yes'
    return true
  }

  async #remove(one: Owned): Promise<boolean> {
    one.removed = 'unknown'
    const status = await this.#call('DELETE', `/containers/${one.name}?force=1`)
    if (status === undefined) return false
    one.removed = status === 204 ? 'yes' : 'unknown'
    return true
  }

  /** Status of the answer; undefined if the daemon went away. */
  async #call(method: string, path: string, body?: unknown): Promise<number | undefined> {
    const response = await this.#daemon.request(method, path, body).catch(() => undefined)
    if (response !== undefined) this.done += 1
    return response?.status
  }

  async #state(one: Owned): Promise<State | undefined> {
    const response = await this.#daemon
      .request('GET', `/containers/${one.name}/json`)
      .catch(() => undefined)
    return response?.status === 200 ? (response.json() as { State: State }).State : undefined
  }

  /** Hold what was told against what is. Afterwards everything is known again. */
  async compare(listed: ReadonlyMap<string, string>): Promise<Comparison> {
    const result: Comparison = { lost: [], ghosts: [], wrongCodes: [] }
    const kept: Owned[] = []
    for (const one of this.#owned) {
      const isListed = listed.has(one.name)
      if (one.removed === 'yes' || one.created === 'no') {
        if (isListed)
          result.ghosts.push(
            `${one.name} was ${one.created === 'no' ? 'refused' : 'removed'}, and is listed`,
          )
        continue
      }
      if (!isListed) {
        if (one.created === 'yes' && one.removed === 'no')
          result.lost.push(`${one.name} was created, and is not listed`)
        continue
      }
      one.created = 'yes'
      // A removal that was cut short has killed the process, or not.
      if (one.removed === 'unknown' && one.stopped === 'no') one.stopped = 'unknown'
      one.removed = 'no'
      await this.#compareState(one, result)
      kept.push(one)
    }
    this.#owned = kept
    return result
  }

  async #compareState(one: Owned, result: Comparison): Promise<void> {
    const state = await this.#settled(one)
    if (state === undefined) {
      result.lost.push(`${one.name} is listed, and inspect does not know it`)
      return
    }
    const seen = `${one.name} (started ${one.started}, stopped ${one.stopped}) is ${state.Status} ${state.ExitCode}`
    if (state.Status === 'running') {
      if (one.started === 'no') result.ghosts.push(seen)
      else if (one.stopped === 'yes') result.ghosts.push(`${seen}, after a stop`)
      else if (!existsSync(`/proc/${state.Pid}`)) result.ghosts.push(`${seen}, without a process`)
      else if (one.pid !== 0 && one.pid !== state.Pid)
        result.lost.push(`${seen} with another pid than before`)
      one.started = 'yes'
      one.stopped = 'no'
      one.pid = state.Pid
      return
    }
    if (state.Status === 'created') {
      if (one.started === 'yes') result.lost.push(seen)
      one.started = 'no'
      one.stopped = 'no'
      return
    }
    if (state.Status !== 'exited') {
      result.ghosts.push(seen)
      return
    }
    const wasAskedToEnd = one.stopped !== 'no'
    if (one.started === 'no') result.ghosts.push(seen)
    else if (one.exitCode === undefined && !wasAskedToEnd && one.started === 'yes')
      result.lost.push(seen)
    const expected = one.exitCode ?? 137
    // A stop may reach a program that is about to end by itself.
    const isRight = state.ExitCode === expected || (wasAskedToEnd && state.ExitCode === 137)
    if (!isRight) result.wrongCodes.push(`${seen}, expected ${expected}`)
    one.started = 'yes'
    one.stopped = 'yes'
  }

  /**
   * The state of a container that ends by itself, when it has; and of one whose process has just ended (a stop or removal that the new
   * daemon goes on with), when the daemon has heard of it.
   */
  async #settled(one: Owned): Promise<State | undefined> {
    let last: State | undefined
    await waitFor(`the end of ${one.name}`, async () => {
      last = await this.#state(one)
      if (last?.Status !== 'running') return true
      return one.exitCode === undefined && existsSync(`/proc/${last.Pid}`)
    }).catch(() => undefined)
    return last
  }
}
