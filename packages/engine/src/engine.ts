import type { Images } from '@ctr/images'
import type { CpusetFacts, HostFacts, OomLog, SeccompFilters } from '@ctr/linux'
import type { Networks } from '@ctr/network'
import type { ShimConnection, Spawner } from '@ctr/shim'
import type { Store } from '@ctr/store'
import type { Clock } from './clock.ts'
import type { EngineConfig } from './config.ts'
import type { PendingAttachments } from './container/pending-attachments.ts'
import type { StartTemplates } from './container/prepared-start.ts'
import type { ContainerRegistry } from './container/registry.ts'
import type { SpareDirectories } from './container/spare-directories.ts'
import type { Wish } from './container/unrecorded-wish.ts'
import type { Waiters } from './container/waiters.ts'
import type { DefaultSeccomp } from './default-seccomp.ts'
import type { EventLog } from './events.ts'
import type { ExecRegistry } from './exec/registry.ts'
import type { FilesystemAccess } from './filesystem/access.ts'
import type { HealthMonitor } from './health/monitor.ts'
import type { Logger } from './logger.ts'
import type { LogForwarders } from './logging/forwarder.ts'
import type { SerialQueues } from './queue.ts'
import type { SecretRegistry } from './secret/registry.ts'
import type { Trash } from './trash.ts'
import type { UserNamespaceRegistry } from './user-namespace/registry.ts'
import type { VolumeRegistry } from './volume/registry.ts'

/**
 * What the functions of this package work on; each takes the engine (or the pick it uses) first. It has no methods:
 * the verbs are files. Made by `openEngine`, which also owns its end: disposal leaves containers running.
 */
export interface Engine extends AsyncDisposable {
  /** Of the data root, kept for ever; `ctr info`'s ID. */
  readonly id: string
  readonly config: EngineConfig
  readonly log: Logger
  readonly clock: Clock
  readonly store: Store
  readonly host: HostFacts
  /** CPUs that this process may use. */
  readonly cpuCount: number
  /** Of the parent cgroup of all containers (cgroup v1). */
  readonly cpuset: CpusetFacts | undefined
  readonly defaultSeccomp: DefaultSeccomp
  readonly seccompFilters: SeccompFilters
  readonly images: Images
  readonly networks: Networks
  readonly spawner: Spawner
  readonly events: EventLog
  readonly containers: ContainerRegistry
  readonly execs: ExecRegistry
  readonly volumes: VolumeRegistry
  readonly secrets: SecretRegistry
  readonly userNamespaces: UserNamespaceRegistry
  readonly queues: SerialQueues
  readonly waiters: Waiters
  readonly filesystem: FilesystemAccess
  readonly health: HealthMonitor
  readonly logForwarders: LogForwarders
  readonly pendingAttachments: PendingAttachments
  /** Control connections of the shims of running containers and execs, by id. */
  readonly shims: Map<string, ShimConnection>
  /** Timers of restart policies, by container id. */
  readonly timers: Map<string, Disposable>
  /** Containers between the stop and the start of a `restart`: --rm does not remove them. */
  readonly restarting: Set<string>
  /** Of the present run, by container id: what the database has not taken. */
  readonly unrecordedWishes: Map<string, Wish>
  /** Names the victims of OOM kills. */
  readonly oomLog: OomLog
  /** Execs between the request to run them and their process. */
  readonly startingExecs: Set<string>
  /** Starts a container that is `restarting`; exit handling cannot import it: a start leads to an exit. */
  startByPolicy(id: string): Promise<void>
  /** Work that goes on after a reply (teardown, removal); disposal waits for it. */
  readonly background: BackgroundWork
  readonly trash: Trash
  readonly spareDirectories: SpareDirectories
  readonly startTemplates: StartTemplates
  /** One job per running process, until it ends; disposal does not wait for these. */
  readonly supervision: BackgroundWork
  /** Disposal has begun: connections close because of us. */
  isClosing(): boolean
}

/** Owner of promises that no caller waits for. */
export class BackgroundWork {
  readonly #running = new Set<Promise<void>>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** A failure is logged: there is nobody else to tell. */
  run(what: string, containerId: string, work: () => Promise<unknown>): void {
    const promise = work()
      .then(() => undefined)
      .catch((err: unknown) => this.#log.error({ err, containerId }, what))
      .finally(() => this.#running.delete(promise))
    this.#running.add(promise)
  }

  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
