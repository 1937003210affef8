import assert from 'node:assert/strict'
import { type BigIntStats, closeSync, constants, fstatSync, openSync, statSync } from 'node:fs'
import { EngineError, isErrno } from '@ctr/errdefs'
import { isProcess, type MountFact, O_PATH, readMountInfo } from '@ctr/linux'
import {
  BIND_RECURSIVE,
  BIND_SOURCE_BELOW_TARGET,
  type IdMaps,
  type Op,
  type Program,
  ShimError,
  type ShimTask,
} from '@ctr/shim'
import type { ContainerRecord } from '../container/container.ts'
import { noSuchContainer } from '../container/registry.ts'
import { bindRoot } from '../container/root-directory.ts'
import { mountedLayers, relativeTo } from '../container/rootfs.ts'
import { rootfsMountpoint } from '../container/runtime-dir.ts'
import { isAlive } from '../container/state.ts'
import { waitContainer } from '../container/wait.ts'
import type { Engine } from '../engine.ts'

/**
 * A container's filesystem, held for a while by a task process in the right mount namespace. `mounted`: with its
 * volumes, and of a running container everything that it sees. `layers`: its root filesystem alone.
 */
export interface View extends AsyncDisposable {
  readonly container: ContainerRecord
  /**
   * The root directory, through /proc/self/fd. What is below belongs to the container, which may change it at any
   * time: open paths with openInRoot only.
   */
  readonly rootPath: string
  /** Of the process that it belongs to, whose files the host sees with other ids. */
  readonly idMaps: IdMaps | undefined
  /** Whose /proc/PID/mountinfo describes it. */
  readonly pid: number
}

export type ViewKind = 'mounted' | 'layers'

/** linux/sched.h, linux/mount.h, sys/mount.h */
const CLONE_NEWNS = 0x00020000n
const CLONE_NEWUSER = 0x10000000n
const MS_PRIVATE = 1n << 18n
const MS_REC = 1n << 14n
const MNT_DETACH = 2
const MOUNT_ATTR_RDONLY = 1n
/** Each is one operation of a program, which has at most 16384. */
const MAX_MOUNTS = 10_000
const EXIT_DEADLINE_MS = 10_000

/** CONFLICT while it is being removed. Dispose the view when everything opened below it is closed. */
export async function openView(
  engine: Engine,
  reference: string,
  kind: ViewKind,
  purpose: string,
): Promise<View> {
  const { id } = engine.containers.get(reference)
  for (;;) {
    try {
      return await tryOpenView(engine, id, kind, purpose)
    } catch (error) {
      if (!(error instanceof ProcessGone)) throw error
      // It has just exited: the engine will hear of it, and then it is a stopped container.
      await waitContainer(engine, id, 'not-running', AbortSignal.timeout(EXIT_DEADLINE_MS))
    }
  }
}

async function tryOpenView(
  engine: Engine,
  id: string,
  kind: ViewKind,
  purpose: string,
): Promise<View> {
  await using stack = new AsyncDisposableStack()
  const base = stack.use(await acquireBase(engine, id, purpose))
  const { container } = base
  if (base.kind === 'stopped') {
    const mountpoint = rootfsMountpoint(engine)
    const pid =
      kind === 'layers'
        ? base.pid
        : stack.use(await engine.spawner.task(mountVolumes(engine, container, base.pid))).pid
    return view(container, pid, mountpoint, stack.move())
  }
  const program =
    kind === 'layers'
      ? bareRoot(base.pid, engine.userNamespaces.of(id) !== undefined)
      : enterMounts(base.pid)
  const task = stack.use(await taskOn(engine, base, program))
  return view(container, task.pid, '', stack.move(), engine.userNamespaces.of(id))
}

async function view(
  container: ContainerRecord,
  pid: number,
  mountpoint: string,
  resources: AsyncDisposableStack,
  idMaps?: IdMaps,
): Promise<View> {
  await using stack = resources
  const root = openSync(`/proc/${pid}/root${mountpoint}`, O_PATH | constants.O_DIRECTORY)
  stack.defer(() => closeSync(root))
  assertForeign(pid, root)
  const kept = stack.move()
  return {
    container,
    pid,
    idMaps,
    // Held open: whatever becomes of the process and its pid, this stays the same directory.
    rootPath: `/proc/self/fd/${root}`,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** Whatever went wrong before: an archive of a container's is never unpacked into a root directory of the host. */
function assertForeign(pid: number, root: number): void {
  const isSame = (one: BigIntStats, other: BigIntStats): boolean =>
    one.dev === other.dev && one.ino === other.ino
  const own = { bigint: true } as const
  assert.ok(!isSame(fstatSync(root, own), statSync('/', own)), 'a view of the root of the host')
  const [its, ours] = [`/proc/${pid}/ns/mnt`, '/proc/self/ns/mnt'].map((path) =>
    statSync(path, own),
  )
  assert.ok(its && ours && !isSame(its, ours), 'a view of the mounts of the host')
}

class ProcessGone extends Error {}

/** The pid is checked after the namespace was joined: if the process is still that one, so was it then. */
async function taskOn(
  engine: Engine,
  base: Extract<Base, { kind: 'running' }>,
  program: Program,
): Promise<ShimTask> {
  let task: ShimTask
  try {
    task = await engine.spawner.task(program)
  } catch (error) {
    if (error instanceof ShimError && !isProcess(base.pid, base.startTime)) throw new ProcessGone()
    throw error
  }
  if (isProcess(base.pid, base.startTime)) return task
  await task[Symbol.asyncDispose]()
  throw new ProcessGone()
}

const SLOT = 0
const USER_SLOT = 1

/** With its user namespace: to a copy by anyone else, the mounts are one that cannot be taken apart. mount_namespaces(7) */
function joinMountNamespace(pid: number, hasUserNamespace = false): Op[] {
  const user = `/proc/${pid}/ns/user`
  return [
    { op: 'open', slot: SLOT, path: `/proc/${pid}/ns/mnt` },
    ...(hasUserNamespace ? [{ op: 'open', slot: USER_SLOT, path: user } as const] : []),
    { op: 'clone', flags: 0n, cgroup: '' },
    ...(hasUserNamespace ? [{ op: 'setns', slot: USER_SLOT, type: CLONE_NEWUSER } as const] : []),
    { op: 'setns', slot: SLOT, type: CLONE_NEWNS },
  ]
}

/** A process beside the container's, which also keeps its mounts together when it exits meanwhile. */
function enterMounts(pid: number): Program {
  return [...joinMountNamespace(pid), { op: 'hold', side: 'child' }]
}

/** A copy of the container's mounts, of which only the root stays. */
function bareRoot(pid: number, hasUserNamespace: boolean): Program {
  return [
    ...joinMountNamespace(pid, hasUserNamespace),
    { op: 'unshare', flags: CLONE_NEWNS },
    { op: 'propagation', path: '/', flags: MS_PRIVATE | MS_REC },
    ...mountsOnRoot(pid).map(
      (mount): Op => ({
        op: 'umount',
        side: 'child',
        optional: true,
        path: mount.mountpoint,
        flags: MNT_DETACH,
      }),
    ),
    { op: 'hold', side: 'child' },
  ]
}

function mountsOnRoot(pid: number): MountFact[] {
  let mounts: MountFact[]
  try {
    mounts = readMountInfo(pid)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH', 'EINVAL')) throw new ProcessGone()
    throw error
  }
  const root = mounts.findLast((mount) => mount.mountpoint === '/')
  const own = mounts.filter((mount) => mount.parentId === root?.id && mount !== root)
  if (own.length > MAX_MOUNTS)
    throw new EngineError('CONFLICT', 'the container has too many mounts')
  return own
}

/** A copy of the base's mounts with the container's binds and volumes in their places. */
function mountVolumes(engine: Engine, container: ContainerRecord, basePid: number): Program {
  const readOnlyRoot = container.hostConfig.ReadonlyRootfs === true
  const binds = [
    ...container.mounts
      .filter((mount) => mount.type === 'bind' || mount.type === 'volume')
      .flatMap((mount) => {
        const { destination: target, readOnly, source, subpath } = mount
        const flags = mount.isRecursive ? BIND_RECURSIVE : 0
        const whole = { source, target, readOnly, flags }
        if (subpath === '') return [whole]
        // As at a start: see subpathMount in container/spec.ts.
        const part = { source: subpath, flags: flags | BIND_SOURCE_BELOW_TARGET }
        return [whole, { ...whole, ...part }]
      }),
    ...[
      { source: container.resolvConfPath, target: '/etc/resolv.conf' },
      { source: container.hostnamePath, target: '/etc/hostname' },
      { source: container.hostsPath, target: '/etc/hosts' },
    ].map((file) => ({ ...file, readOnly: readOnlyRoot, flags: 0 })),
  ].sort((a, b) => a.target.split('/').length - b.target.split('/').length)
  return [
    ...joinMountNamespace(basePid),
    { op: 'unshare', flags: CLONE_NEWNS },
    { op: 'root', path: rootfsMountpoint(engine) },
    ...binds.map(
      (bind): Op => ({
        op: 'bind',
        // A host directory may have gone since the container ran: then its mount point is seen.
        optional: true,
        source: bind.source,
        target: bind.target,
        flags: bind.flags,
        attr: bind.readOnly ? MOUNT_ATTR_RDONLY : 0n,
        clear: 0n,
        propagation: MS_PRIVATE,
      }),
    ),
    { op: 'hold', side: 'child' },
  ]
}

/** Where a view begins: the namespace of the running container, or one with the mounted overlay of a stopped one. */
type Base = AsyncDisposable & { readonly container: ContainerRecord } & (
    | { readonly kind: 'running'; readonly pid: number; readonly startTime: bigint }
    | { readonly kind: 'stopped'; readonly pid: number }
  )

interface Hold {
  users: number
  readonly ready: Promise<Base>
  readonly release: () => void
}

/** Overlays of stopped containers that are mounted now (or about to be), by container id. */
export type Holds = Map<string, Hold>

/**
 * An overlay must not be mounted twice, so while a stopped container is looked at its queue is kept: it starts when the
 * last user has gone. Those who come meanwhile share the mount; otherwise `cp c:/a - | cp - c:/b` would wait for itself.
 */
async function acquireBase(engine: Engine, id: string, purpose: string): Promise<Base> {
  const hold = engine.filesystem.holds.get(id) ?? newHold(engine, id, purpose)
  hold.users += 1
  const release = async (): Promise<void> => {
    hold.users -= 1
    if (hold.users === 0) hold.release()
  }
  try {
    return { ...(await hold.ready), [Symbol.asyncDispose]: release }
  } catch (error) {
    await release()
    throw error
  }
}

function newHold(engine: Engine, id: string, purpose: string): Hold {
  const { holds } = engine.filesystem
  const ready = Promise.withResolvers<Base>()
  const released = Promise.withResolvers<void>()
  const forget = (): void => {
    if (holds.get(id) === hold) holds.delete(id)
  }
  const hold: Hold = {
    users: 0,
    ready: ready.promise,
    release: () => {
      forget()
      released.resolve()
    },
  }
  holds.set(id, hold)
  const job = engine.queues.run(id, async () => {
    const container = accessibleContainer(engine, id, purpose)
    const { state } = container
    const noop = async (): Promise<void> => undefined
    if (isAlive(state)) {
      forget()
      const { pid, startTime } = state
      ready.resolve({ kind: 'running', container, pid, startTime, [Symbol.asyncDispose]: noop })
      return
    }
    await using task = await engine.spawner.task(mountOverlay(engine, container))
    ready.resolve({ kind: 'stopped', container, pid: task.pid, [Symbol.asyncDispose]: noop })
    await released.promise
  })
  job.catch((error: unknown) => {
    forget()
    ready.reject(error)
  })
  return hold
}

function accessibleContainer(engine: Engine, id: string, purpose: string): ContainerRecord {
  const container = engine.containers.byId(id)
  if (container === undefined) throw noSuchContainer(id)
  switch (container.state.status) {
    case 'removing':
      throw new EngineError(
        'CONFLICT',
        `You cannot ${purpose} container ${id} which is being removed`,
      )
    case 'dead':
      throw new EngineError('CONFLICT', `You cannot ${purpose} container ${id} which is Dead`)
    case 'created':
    case 'running':
    case 'paused':
    case 'restarting':
    case 'exited':
      return container
  }
}

/** With the options of a start: the upper directory is a layer on its own. See planRoot of @ctr/shim. */
function mountOverlay(engine: Engine, container: ContainerRecord): Program {
  const { dataRoot } = engine.config
  const target = rootfsMountpoint(engine)
  const data = [
    `lowerdir=${mountedLayers(engine, container).join(':')}`,
    `upperdir=${relativeTo(dataRoot, container.upperDir)}`,
    `workdir=${relativeTo(dataRoot, container.workDir)}`,
    'index=off',
    'redirect_dir=nofollow',
    'metacopy=off',
  ].join(',')
  return [
    { op: 'clone', flags: CLONE_NEWNS, cgroup: '' },
    { op: 'propagation', path: '/', flags: MS_PRIVATE | MS_REC },
    bindRoot(container.hostConfig, target) ?? {
      op: 'overlay',
      base: dataRoot,
      target,
      flags: 0n,
      data,
    },
    ...workingDirectory(engine, container, target),
    { op: 'hold', side: 'child' },
  ]
}

/** dockerd makes it with the container; here the first start does, or the first who looks before: `cp` into it then finds it. */
function workingDirectory(engine: Engine, container: ContainerRecord, root: string): Op[] {
  const path = container.config.WorkingDir ?? ''
  const isNew = container.state.status === 'created'
  if (!isNew || !path.startsWith('/') || engine.userNamespaces.of(container.id)) return []
  return [
    { op: 'root', path: root },
    { op: 'mkdir', path, mode: 0o755, uid: 0, gid: 0, optional: true },
  ]
}
