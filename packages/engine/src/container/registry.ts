import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ContainerConfig, HostConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { ContainerRow, ContainerStateRow, ContainerTable } from '@ctr/store'
import type { EngineConfig } from '../config.ts'
import type { ConfiguredNetworks } from './configured-networks.ts'
import type { ContainerRecord, MountPoint, Removal } from './container.ts'
import { writtenDirectory } from './root-directory.ts'
import { containerFilesDir } from './runtime-dir.ts'
import { assertTransition, type ContainerState, isAlive } from './state.ts'

type ContainerRoots = Pick<EngineConfig, 'dataRoot' | 'execRoot'>

/** The part of a container that changes with its life; the rest is fixed at creation or changed by `rename`/`update`. */
export type ContainerChange = Partial<
  Pick<ContainerRecord, 'state' | 'restartCount' | 'bookkeeping'>
>

/**
 * All containers, in memory as values and in SQLite as rows. Reads come from memory and wait for nobody. Changes are
 * written first; call them inside `engine.events.commit`, in the container's queue.
 */
export class ContainerRegistry {
  readonly #table: ContainerTable
  readonly #roots: ContainerRoots
  readonly #onRollback: (undo: () => void) => void
  readonly #byId = new Map<string, ContainerRecord>()
  readonly #idByName = new Map<string, string>()
  /** Ids of those whose host config has links. */
  readonly #linking = new Set<string>()
  /** Names of creations and renames that are under way → id. */
  readonly #reserved = new Map<string, string>()

  constructor(
    table: ContainerTable,
    { dataRoot, execRoot }: ContainerRoots,
    onRollback: (undo: () => void) => void = () => undefined,
  ) {
    this.#table = table
    this.#roots = { dataRoot, execRoot }
    this.#onRollback = onRollback
    const mounts = Map.groupBy(table.allMounts(), (mount) => mount.containerId)
    for (const row of table.all()) {
      const documents = mounts.get(row.id)?.map((mount) => mount.document) ?? []
      this.#keep(readRow(row, documents, this.#roots))
    }
  }

  /** By full id, name, or unique id prefix, in this order, as Docker. NOT_FOUND, INVALID_ARGUMENT (ambiguous). */
  get(reference: string): ContainerRecord {
    if (reference === '') {
      throw new EngineError('INVALID_ARGUMENT', 'invalid name or ID supplied: ""')
    }
    const container = this.find(reference)
    if (container === undefined) throw noSuchContainer(reference)
    return container
  }

  find(reference: string): ContainerRecord | undefined {
    const name = reference.startsWith('/') ? reference.slice(1) : reference
    const exact = this.#byId.get(reference) ?? this.byName(name)
    if (exact !== undefined) return exact
    if (!/^[0-9a-f]{1,64}$/.test(reference)) return undefined
    let found: ContainerRecord | undefined
    for (const [id, container] of this.#byId) {
      if (!id.startsWith(reference)) continue
      if (found !== undefined) {
        throw new EngineError(
          'INVALID_ARGUMENT',
          `multiple IDs found with provided prefix: ${reference}`,
        )
      }
      found = container
    }
    return found
  }

  byId(id: string): ContainerRecord | undefined {
    return this.#byId.get(id)
  }

  byName(name: string): ContainerRecord | undefined {
    const id = this.#idByName.get(name)
    return id === undefined ? undefined : this.#byId.get(id)
  }

  isNameTaken(name: string): boolean {
    return this.#idByName.has(name) || this.#reserved.has(name)
  }

  /** CONFLICT. */
  assertNameFree(name: string): void {
    const owner = this.#idByName.get(name) ?? this.#reserved.get(name)
    if (owner === undefined) return
    throw new EngineError(
      'CONFLICT',
      `Conflict. The container name "/${name}" is already in use by container "${owner}". You have to remove (or rename) that container to be able to reuse that name.`,
    )
  }

  /** Holds a name until the row has it. CONFLICT. */
  reserveName(name: string, id: string): Disposable {
    this.assertNameFree(name)
    this.#reserved.set(name, id)
    return { [Symbol.dispose]: () => void this.#reserved.delete(name) }
  }

  /** In order of creation. */
  all(): ContainerRecord[] {
    return [...this.#byId.values()]
  }

  /** Those with links, in order of creation. */
  linking(): ContainerRecord[] {
    return [...this.#linking].flatMap((id) => this.#byId.get(id) ?? [])
  }

  volumeUsers(volume: string): string[] {
    return this.#table.volumeUsers(volume)
  }

  insert(container: ContainerRecord): void {
    this.#table.insert(
      toRow(container),
      container.mounts.map((mount, position) => ({
        containerId: container.id,
        destination: mount.destination,
        position,
        volume: mount.type === 'volume' ? (mount.name ?? null) : null,
        document: JSON.stringify(mount),
      })),
    )
    this.#keep(container)
    this.#onRollback(() => this.#forget(container))
  }

  /** Gives the new value. */
  change(id: string, change: ContainerChange): ContainerRecord {
    const before = this.#existing(id)
    if (change.state !== undefined && change.state.status !== before.state.status) {
      assertTransition(before.state.status, change.state.status)
    }
    const after = { ...before, ...change }
    this.#table.updateState(id, stateRow(after))
    this.#keep(after)
    this.#onRollback(() => this.#keep(before))
    return after
  }

  /** Changes by request: name and host config. */
  changeDocuments(
    id: string,
    change: Partial<Pick<ContainerRecord, 'name' | 'config' | 'hostConfig' | 'networkingConfig'>>,
  ): ContainerRecord {
    const before = this.#existing(id)
    const after = { ...before, ...change }
    this.#table.updateDocuments(id, documentsRow(after))
    this.#rename(before, after)
    this.#onRollback(() => this.#rename(after, before))
    return after
  }

  delete(id: string): void {
    const container = this.#existing(id)
    this.#table.delete(id)
    this.#forget(container)
    this.#onRollback(() => this.#keep(container))
  }

  directory(id: string): string {
    return `${this.#roots.dataRoot}/containers/${id}`
  }

  #existing(id: string): ContainerRecord {
    const container = this.#byId.get(id)
    if (container === undefined) throw noSuchContainer(id)
    return container
  }

  #keep(container: ContainerRecord): void {
    this.#byId.set(container.id, container)
    this.#idByName.set(container.name, container.id)
    if (container.hostConfig.Links?.length) this.#linking.add(container.id)
    else this.#linking.delete(container.id)
  }

  /** Keeps the container's place in the order of creation. */
  #rename(before: ContainerRecord, after: ContainerRecord): void {
    this.#idByName.delete(before.name)
    this.#keep(after)
  }

  #forget(container: ContainerRecord): void {
    this.#byId.delete(container.id)
    this.#linking.delete(container.id)
    this.#idByName.delete(container.name)
  }
}

export function noSuchContainer(reference: string): EngineError {
  return new EngineError('NOT_FOUND', `No such container: ${reference}`)
}

function toRow(container: ContainerRecord): ContainerRow {
  return {
    id: container.id,
    createdAtNs: container.createdAtNs,
    imageId: container.imageId,
    imageReference: container.imageReference,
    platform: container.platform,
    path: storedPath(container.path),
    args: JSON.stringify(container.args),
    layers: JSON.stringify(container.layers),
    ...documentsRow(container),
    ...stateRow(container),
  }
}

/** SQLite's text cannot hold bytes that are no UTF-8, JSON can; no program's name begins with NUL. */
const IS_JSON = '\0'

function storedPath(path: string): string {
  return path.isWellFormed() ? path : `${IS_JSON}${JSON.stringify(path)}`
}

function pathOfStored(stored: string): string {
  return stored.startsWith(IS_JSON) ? (JSON.parse(stored.slice(1)) as string) : stored
}

function documentsRow(
  container: ContainerRecord,
): Pick<ContainerRow, 'name' | 'config' | 'hostConfig' | 'networking'> {
  return {
    name: container.name,
    config: JSON.stringify(container.config),
    hostConfig: JSON.stringify(container.hostConfig),
    networking: JSON.stringify(container.networkingConfig),
  }
}

function stateRow(container: ContainerRecord): ContainerStateRow {
  const { state, bookkeeping } = container
  return {
    status: state.status,
    pid: isAlive(state) ? state.pid : 0,
    startTime: isAlive(state) ? state.startTime : 0n,
    startedAtNs: state.startedAtNs,
    finishedAtNs: state.finishedAtNs,
    exitCode: state.exitCode,
    isOomKilled: state.isOomKilled,
    error: state.error,
    restartAtNs: state.status === 'restarting' ? state.restartAtNs : 0n,
    restartCount: container.restartCount,
    ...bookkeeping,
  }
}

/** INTERNAL, naming the container, if somebody has written there what we have not. */
function readRow(
  row: ContainerRow,
  mounts: readonly string[],
  roots: ContainerRoots,
): ContainerRecord {
  try {
    return fromRow(row, mounts, roots)
  } catch (cause) {
    const message = `the database has damaged data of container ${row.name} (${row.id}): ${(cause as Error).message}`
    throw new EngineError('INTERNAL', message, { cause })
  }
}

function fromRow(
  row: ContainerRow,
  mounts: readonly string[],
  roots: ContainerRoots,
): ContainerRecord {
  const config = JSON.parse(row.config) as ContainerConfig
  const hostConfig = JSON.parse(row.hostConfig) as HostConfig
  return {
    id: row.id,
    name: row.name,
    createdAtNs: row.createdAtNs,
    path: pathOfStored(row.path),
    args: JSON.parse(row.args) as string[],
    config,
    hostConfig,
    networkingConfig: JSON.parse(row.networking) as ConfiguredNetworks,
    imageId: row.imageId,
    imageReference: row.imageReference,
    platform: row.platform,
    state: stateFromRow(row),
    restartCount: row.restartCount,
    mounts: mounts.map((document) => JSON.parse(document) as MountPoint),
    driver: 'overlay2',
    layers: JSON.parse(row.layers) as string[],
    bookkeeping: {
      hasStartedBefore: row.hasStartedBefore,
      isManuallyStopped: row.isManuallyStopped,
      isRestartCancelled: row.isRestartCancelled,
      isCheckpointed: row.isCheckpointed,
      isStartPending: row.isStartPending,
      isOfBuild: row.isOfBuild,
      removal: row.removal as Removal,
      killAtNs: row.killAtNs,
      restartDelayMs: row.restartDelayMs,
    },
    ...containerPaths(roots, row.id, hostConfig),
    ...olderFiles(join(roots.dataRoot, 'containers', row.id)),
  }
}

function stateFromRow(row: ContainerRow): ContainerState {
  const { startedAtNs, finishedAtNs, exitCode, isOomKilled, error, pid, startTime, restartAtNs } =
    row
  const last = { startedAtNs, finishedAtNs, exitCode, isOomKilled, error }
  const status = row.status as ContainerState['status']
  switch (status) {
    case 'running':
    case 'paused':
      return { status, ...last, pid, startTime }
    case 'restarting':
      return { status, ...last, restartAtNs }
    case 'created':
    case 'exited':
    case 'removing':
    case 'dead':
      return { status, ...last }
  }
}

/** Everything of a container that lies under the data root, and the files that are bound into it. */
export function containerPaths(
  { dataRoot, execRoot }: ContainerRoots,
  id: string,
  hostConfig: HostConfig,
): Pick<
  ContainerRecord,
  'logPath' | 'hostnamePath' | 'hostsPath' | 'resolvConfPath' | 'upperDir' | 'workDir' | 'mergedDir'
> {
  const directory = `${dataRoot}/containers/${id}`
  return {
    logPath: logDriver(hostConfig) === 'none' ? '' : `${directory}/${id}-json.log`,
    ...filesIn(containerFilesDir(execRoot, id)),
    upperDir: writtenDirectory(hostConfig) ?? `${directory}/upper`,
    workDir: `${directory}/work`,
    mergedDir: `${directory}/merged`,
  }
}

type BoundFiles = Pick<ContainerRecord, 'hostnamePath' | 'hostsPath' | 'resolvConfPath'>

function filesIn(directory: string): BoundFiles {
  return {
    hostnamePath: `${directory}/hostname`,
    hostsPath: `${directory}/hosts`,
    resolvConfPath: `${directory}/resolv.conf`,
  }
}

/** A container that an older engine has started has them in the data root, and may run with them. */
function olderFiles(directory: string): BoundFiles | undefined {
  const files = filesIn(directory)
  return existsSync(files.hostsPath) ? files : undefined
}

function logDriver(hostConfig: HostConfig): string {
  const type = hostConfig.LogConfig?.Type ?? ''
  return type === '' ? 'json-file' : type
}
