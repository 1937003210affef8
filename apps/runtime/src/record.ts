import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import type { CgroupLayout, ScopeName } from '@ctr/linux'
import type { RuntimeSpec } from '@ctr/oci'
import { containerNotFound, invalidArgument, wrongState } from './errors.ts'

/** What `<root>/<id>/state.json` keeps; written once at the end of create, and by update. */
export interface ContainerRecord {
  readonly version: 1
  readonly id: string
  readonly bundle: string
  readonly rootfs: string
  /** RFC 3339. */
  readonly created: string
  readonly pid: number
  /** /proc/PID/stat field 22, as text: with the pid it names the process for ever. */
  readonly startTime: string
  /** The same path in every hierarchy of `cgroups`. */
  readonly cgroupPath: string
  readonly cgroups: CgroupLayout
  /** The systemd unit that the cgroup is of. */
  readonly scope?: ScopeName | undefined
  /** config.json as it was at create, completed (bundle.ts). */
  readonly spec: RuntimeSpec
}

const STATE_FILE = 'state.json'
const FIFO_FILE = 'exec.fifo'

/** `[A-Za-z0-9_+.-]+`, and a name that a path keeps as it is. NAME_MAX ends it. */
export function checkId(id: string): void {
  if (id === '') throw invalidArgument('container id cannot be empty')
  if (!/^[A-Za-z0-9_+.-]+$/.test(id) || id === '.' || id === '..') {
    throw invalidArgument('invalid container ID format')
  }
}

/** Directory of a container; the id is checked, so it is one component. */
export function containerDir(root: string, id: string): string {
  checkId(id)
  return join(root, id)
}

export function fifoPath(root: string, id: string): string {
  return join(containerDir(root, id), FIFO_FILE)
}

/** Claims the id: of two at once, one gets it. */
export function claimId(root: string, id: string): void {
  mkdirSync(resolve(root), { recursive: true, mode: 0o700 })
  try {
    mkdirSync(containerDir(root, id), { mode: 0o711 })
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw wrongState('container with given ID already exists')
    if (isErrno(error, 'ENAMETOOLONG')) {
      throw invalidArgument(`mkdir ${join(root, id)}: file name too long`)
    }
    throw error
  }
}

export function writeRecord(root: string, record: ContainerRecord): void {
  const path = join(containerDir(root, record.id), STATE_FILE)
  writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
}

export function readRecord(root: string, id: string): ContainerRecord {
  try {
    return JSON.parse(
      readFileSync(join(containerDir(root, id), STATE_FILE), 'utf8'),
    ) as ContainerRecord
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) throw containerNotFound()
    throw error
  }
}

/** By name; directories without a record are creates under way, or their remains. */
export function listRecords(root: string): { record: ContainerRecord; uid: number }[] {
  let names: string[]
  try {
    names = readdirSync(root).sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
  return names
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => {
      try {
        return [{ record: readRecord(root, name), uid: statSync(join(root, name)).uid }]
      } catch {
        return []
      }
    })
}

/** Renamed first, so that a removal cut short leaves no half a container under the name. */
export function removeRecord(root: string, id: string): void {
  const dir = containerDir(root, id)
  const trash = join(root, `.removed-${process.pid}`)
  rmSync(trash, { recursive: true, force: true })
  try {
    renameSync(dir, trash)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return
    throw error
  }
  rmSync(trash, { recursive: true, force: true })
}
