import { readdirSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { type Engine, engineInfo } from '@ctr/engine'
import { goArchitecture, kernelVersion, operatingSystem } from '../routes/system/host.ts'
import { VERSION } from '../version.ts'
import { BuildCounts } from './build-counts.ts'
import { Histogram } from './histogram.ts'

type Kind = 'container' | 'image' | 'network' | 'host'

/** Operations that are timed: dockerd's actions, where they are one request here. */
const ACTIONS: Readonly<Record<string, readonly [Kind, string]>> = {
  'POST /containers/create': ['container', 'create'],
  'POST /containers/:id/start': ['container', 'start'],
  'DELETE /containers/:id': ['container', 'delete'],
  'GET /containers/:id/changes': ['container', 'changes'],
  'POST /commit': ['container', 'commit'],
  'POST /images/create': ['image', 'pull'],
  'POST /images/:id/push': ['image', 'push'],
  'POST /images/load': ['image', 'load'],
  'DELETE /images/:id': ['image', 'delete'],
  'POST /networks/create': ['network', 'create'],
  'DELETE /networks/:id': ['network', 'delete'],
  'POST /networks/:id/connect': ['network', 'connect'],
  'POST /networks/:id/disconnect': ['network', 'disconnect'],
  'GET /info': ['host', 'system_info'],
  'GET /version': ['host', 'system_version'],
  'GET /system/df': ['host', 'disk_usage'],
}

const NAMES: Readonly<Record<Kind, readonly [name: string, help: string, label: string]>> = {
  container: [
    'engine_daemon_container_actions_seconds',
    'The number of seconds it takes to process each container action',
    'action',
  ],
  image: [
    'engine_daemon_image_actions_seconds',
    'The number of seconds it takes to process each image action',
    'action',
  ],
  network: [
    'engine_daemon_network_actions_seconds',
    'The number of seconds it takes to process each network action',
    'action',
  ],
  host: [
    'engine_daemon_host_info_functions_seconds',
    'The number of seconds it takes to call functions gathering info about the host',
    'function',
  ],
}

/** What dashboards of dockerd look at. Counted only when somebody asked for it by --metrics-addr. */
export class Metrics implements Disposable {
  readonly #engine: Engine
  readonly #histograms: Readonly<Record<Kind, Histogram>>
  readonly #listening: Disposable
  /** The engine's own and ours, which are no subscribers. */
  readonly #internalListeners: number
  #events = 0
  readonly #builds = new BuildCounts()

  constructor(engine: Engine) {
    this.#engine = engine
    const newHistogram = (kind: Kind): Histogram => {
      const actions = Object.values(ACTIONS).filter(([candidate]) => candidate === kind)
      return new Histogram(
        ...NAMES[kind],
        actions.map(([, action]) => action),
      )
    }
    this.#histograms = {
      container: newHistogram('container'),
      image: newHistogram('image'),
      network: newHistogram('network'),
      host: newHistogram('host'),
    }
    this.#listening = engine.events.listen(() => {
      this.#events += 1
    })
    this.#internalListeners = engine.events.listenerCount
  }

  /** A request was served without an error. */
  observe(method: string, path: string, milliseconds: number): void {
    const action = ACTIONS[`${method} ${path}`]
    if (action !== undefined) this.#histograms[action[0]].observe(action[1], milliseconds / 1000)
  }

  get builds(): BuildCounts {
    return this.#builds
  }

  /** https://prometheus.io/docs/instrumenting/exposition_formats/ */
  render(): string {
    const info = engineInfo(this.#engine)
    const { name, version } = operatingSystem()
    const { user, system } = process.cpuUsage()
    const facts = {
      architecture: goArchitecture(),
      commit: 'source',
      daemon_id: this.#engine.id,
      graphdriver: 'overlay2',
      kernel: kernelVersion(),
      os: name,
      os_type: 'linux',
      os_version: version,
      version: VERSION,
    }
    const states = 'engine_daemon_container_states_containers'
    return [
      ...this.#builds.render(),
      ...Object.values(this.#histograms).flatMap((histogram) => histogram.render()),
      `# HELP ${states} The count of containers in various states`,
      `# TYPE ${states} gauge`,
      `${states}{state="paused"} ${info.paused}`,
      `${states}{state="running"} ${info.running}`,
      `${states}{state="stopped"} ${info.stopped}`,
      ...one(
        'gauge',
        'engine_daemon_engine_cpus_cpus',
        'The number of cpus that the host system of the engine has',
        availableParallelism(),
      ),
      ...one(
        'gauge',
        'engine_daemon_engine_memory_bytes',
        'The number of bytes of memory that the host system of the engine has',
        totalmem(),
      ),
      '# HELP engine_daemon_engine_info The information related to the engine and the OS it is running on',
      '# TYPE engine_daemon_engine_info gauge',
      `engine_daemon_engine_info{${labels(facts)}} 1`,
      ...one('counter', 'engine_daemon_events_total', 'The number of events logged', this.#events),
      ...one(
        'gauge',
        'engine_daemon_events_subscribers_total',
        'The number of current subscribers to events',
        this.#engine.events.listenerCount - this.#internalListeners,
      ),
      ...one(
        'counter',
        'process_cpu_seconds_total',
        'Total user and system CPU time spent in seconds.',
        (user + system) / 1e6,
      ),
      ...one(
        'gauge',
        'process_resident_memory_bytes',
        'Resident memory size in bytes.',
        process.memoryUsage.rss(),
      ),
      ...one(
        'gauge',
        'process_open_fds',
        'Number of open file descriptors.',
        readdirSync('/proc/self/fd').length,
      ),
      ...one(
        'gauge',
        'process_start_time_seconds',
        'Start time of the process since unix epoch in seconds.',
        performance.timeOrigin / 1000,
      ),
      '',
    ].join('\n')
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
  }
}

function one(type: 'gauge' | 'counter', name: string, help: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${value}`]
}

function labels(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}="${value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`)
    .join(',')
}
