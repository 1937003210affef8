import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openImages } from '@ctr/images'
import { OomLog, prepareCgroupParent, readHostFacts, SeccompFilters } from '@ctr/linux'
import { openNetworks } from '@ctr/network'
import { newId } from '@ctr/oci'
import { Spawner } from '@ctr/shim'
import {
  ContainerTable,
  EventTable,
  ExecTable,
  getOrCreateMeta,
  HealthTable,
  openStore,
  SecretTable,
  UserNamespaceTable,
  VolumeTable,
} from '@ctr/store'
import { loadDefaultProfile } from './apparmor/default-profile.ts'
import { type Clock, systemClock } from './clock.ts'
import type { EngineConfig } from './config.ts'
import { PendingAttachments } from './container/pending-attachments.ts'
import { StartTemplates } from './container/prepared-start.ts'
import { recover } from './container/recover.ts'
import { ContainerRegistry } from './container/registry.ts'
import { restoreRemoved } from './container/removed-directory.ts'
import { RunTimeouts } from './container/run-timeouts.ts'
import { makeRuntimeRoots } from './container/runtime-dir.ts'
import { SpareDirectories } from './container/spare-directories.ts'
import { startByPolicy } from './container/start-by-policy.ts'
import { checkDefaultStorageSize } from './container/storage-size.ts'
import { Waiters } from './container/waiters.ts'
import { explainDamage } from './damaged-database.ts'
import { readDefaultSeccomp } from './default-seccomp.ts'
import { BackgroundWork, type Engine } from './engine.ts'
import { EventLog } from './events.ts'
import { ExecRegistry } from './exec/registry.ts'
import { FilesystemAccess } from './filesystem/access.ts'
import { HealthMonitor } from './health/monitor.ts'
import type { Logger } from './logger.ts'
import { LogForwarders } from './logging/forwarder.ts'
import { assertNothingToLose } from './lost-database.ts'
import { SerialQueues } from './queue.ts'
import { reserveDatabase, reserveLog } from './reserve.ts'
import { SecretRegistry } from './secret/registry.ts'
import { Trash } from './trash.ts'
import { planUserNamespace } from './user-namespace/mode.ts'
import { UserNamespaceRegistry } from './user-namespace/registry.ts'
import { VolumeRegistry } from './volume/registry.ts'
import { warmUp } from './warm-up.ts'

const SHUTDOWN_MS = 500

/**
 * Opens the engine of a data root and brings rows and host into agreement. The caller sees to it that no other process
 * has the roots open (ctrd locks them). Disposal leaves containers running.
 */
export async function openEngine(
  config: EngineConfig,
  log: Logger,
  clock: Clock = systemClock,
): Promise<Engine> {
  try {
    return await open(config, log, clock)
  } catch (error) {
    throw explainDamage(error, config.dataRoot)
  }
}

async function open(config: EngineConfig, log: Logger, clock: Clock): Promise<Engine> {
  await using stack = new AsyncDisposableStack()
  // What nobody can start a container with is refused before anything is made.
  const facts = readHostFacts()
  const host = { ...facts, rootIsRamfs: facts.rootIsRamfs || config.noPivot }
  const defaultSeccomp = readDefaultSeccomp(config.seccompProfile)
  planUserNamespace({}, config.usernsRemap, host)
  await loadDefaultProfile(host, log)
  mkdirSync(config.dataRoot, { recursive: true, mode: 0o711 })
  checkDefaultStorageSize(config.defaultStorageBytes, config.dataRoot)
  makeRuntimeRoots(config)

  const database = join(config.dataRoot, 'ctr.db')
  reserveDatabase(database, log)
  const store = openStore(database, () => assertNothingToLose(config.dataRoot))
  stack.defer(() => store.close())
  reserveLog(database, log)
  const id = getOrCreateMeta(store, 'engine-id', randomUUID)
  const events = new EventLog(store, new EventTable(store), clock)
  events.keep({ rows: config.eventRows, days: config.eventDays })
  const onRollback = (undo: () => void): void => events.onRollback(undo)

  // systemd makes its slices ready by itself.
  const isOurs = config.cgroupDriver === 'cgroupfs'
  const cpuset = isOurs ? prepareCgroupParent(host.cgroups, config.cgroupParent) : undefined
  let onRulesetLoss: (() => void) | undefined
  const spawner = stack.use(
    await Spawner.start({
      socketPath: join(config.execRoot, 'spawner.sock'),
      log: (line) => log.warn({ line }, 'spawner'),
      onRulesetLoss: () => onRulesetLoss?.(),
    }),
  )
  const filesystem = stack.use(new FilesystemAccess())
  const oomLog = stack.use(new OomLog())
  const images = stack.use(
    openImages({ dataRoot: config.dataRoot, store, log, registries: config.registries }),
  )
  restoreRemoved(config.dataRoot, new ContainerTable(store))
  await images.reconcile()
  const networks = await openNetworks({
    store,
    log,
    bridge: config.bridge,
    defaults: config.networks,
    instance: id.slice(0, 8),
    newId,
    exec: async (program) => {
      const task = await spawner.task(program)
      await task[Symbol.asyncDispose]()
    },
  })
  stack.defer(() => networks.close())
  onRulesetLoss = () => networks.rulesetLost()

  const background = new BackgroundWork(log)
  const supervision = new BackgroundWork(log)
  const runTimeouts = new RunTimeouts()
  let isClosing = false
  const disposal = stack.move()
  let warming: Disposable | undefined
  const { promise: recovered, resolve: endRecovery } = Promise.withResolvers<void>()
  const engine: Engine = {
    id,
    config,
    log,
    clock,
    store,
    host,
    cpuCount: availableParallelism(),
    cpuset,
    defaultSeccomp,
    seccompFilters: new SeccompFilters(join(config.execRoot, 'seccomp')),
    images,
    networks,
    spawner,
    events,
    containers: new ContainerRegistry(new ContainerTable(store), config, onRollback),
    execs: new ExecRegistry(new ExecTable(store), onRollback),
    volumes: new VolumeRegistry(new VolumeTable(store), config.dataRoot, onRollback),
    secrets: new SecretRegistry(new SecretTable(store), config.dataRoot, onRollback),
    userNamespaces: new UserNamespaceRegistry(new UserNamespaceTable(store), onRollback),
    queues: new SerialQueues(),
    waiters: new Waiters(),
    filesystem,
    health: new HealthMonitor(new HealthTable(store)),
    logForwarders: new LogForwarders(),
    pendingAttachments: new PendingAttachments(),
    shims: new Map(),
    timers: new Map(),
    oomLog,
    restarting: new Set(),
    unrecordedWishes: new Map(),
    startingExecs: new Set(),
    background,
    trash: new Trash({ spawner, store, background, log }),
    startTemplates: new StartTemplates(),
    spareDirectories: new SpareDirectories({ spawner, background, log, dataRoot: config.dataRoot }),
    supervision,
    startByPolicy: async (id) => {
      // Whose end is found at recovery, and whose next run is due: until all is settled, what a start has made looks like a leftover.
      await recovered
      if (!isClosing) await startByPolicy(engine, id)
    },
    isClosing: () => isClosing,
    async [Symbol.asyncDispose]() {
      if (isClosing) return
      isClosing = true
      endRecovery()
      warming?.[Symbol.dispose]()
      engine.health[Symbol.dispose]()
      engine.logForwarders[Symbol.dispose]()
      runTimeouts[Symbol.dispose]()
      for (const timer of engine.timers.values()) timer[Symbol.dispose]()
      // What is not done in time is found by the next engine: it is what a kill would leave.
      const deadline = delay(SHUTDOWN_MS, undefined, { ref: false })
      await Promise.race([Promise.all([engine.queues.idle(), background.idle()]), deadline])
      for (const connection of engine.shims.values()) connection.close()
      await disposal.disposeAsync()
    },
  }
  try {
    engine.health.begin(engine)
    engine.logForwarders.begin(engine)
    runTimeouts.begin(engine)
    await recover(engine)
    endRecovery()
    engine.health.resume()
    engine.logForwarders.resume()
    runTimeouts.resume()
    warming = warmUp(engine)
  } catch (error) {
    await engine[Symbol.asyncDispose]()
    throw error
  }
  return engine
}
