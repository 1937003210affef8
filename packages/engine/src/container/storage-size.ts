import { randomInt } from 'node:crypto'
import type { HostConfig } from '@ctr/api'
import { EngineError, invalid, isErrno } from '@ctr/errdefs'
import { hasProjectQuota, joinProject, limitProject, projectOf, projectUse } from '@ctr/linux'
import type { ContainerRecord } from './container.ts'

/**
 * `--storage-opt size=`: upper and work directory of the container are a project of their own with a limit, where the filesystem
 * has project quotas. Nothing is remembered: the project is an attribute of the directory.
 */
type Layer = Pick<ContainerRecord, 'upperDir' | 'workDir' | 'hostConfig'>

/** Bytes; undefined: no limit. INVALID_ARGUMENT. moby daemon/graphdriver/overlay2 parseStorageOpt */
export function storageSize({ StorageOpt: options }: HostConfig): number | undefined {
  let size: number | undefined
  for (const [key, value] of Object.entries(options ?? {})) {
    if (key.toLowerCase() !== 'size') throw invalid(`unknown option ${key}`)
    size = parseSize(value)
  }
  return size === 0 ? undefined : size
}

/** INVALID_ARGUMENT: the options are wrong, or the filesystem of `dataRoot` cannot do it. */
export function checkStorageSize(
  hostConfig: HostConfig,
  o: { readonly dataRoot: string; readonly hasImage: boolean },
): void {
  if (Object.keys(hostConfig.StorageOpt ?? {}).length === 0) return
  const size = storageSize(hostConfig)
  if (!o.hasImage) throw invalid('conflicting options: storage-opt and rootfs')
  if (size === undefined || hasProjectQuota(o.dataRoot)) return
  throw invalid(
    "--storage-opt is supported only for overlay over xfs with 'pquota' mount option, or ext4 with 'prjquota'",
  )
}

/** `standard`: of all containers that name no size. INVALID_ARGUMENT: the filesystem of `dataRoot` cannot do it. */
export function checkDefaultStorageSize(standard: number | undefined, dataRoot: string): void {
  if (standard === undefined || hasProjectQuota(dataRoot)) return
  throw invalid(
    "storage option overlay2.size is supported only for xfs with 'pquota' mount option, or ext4 with 'prjquota'",
  )
}

/** As for dockerd, a size of 0 is no limit, whatever the daemon's is. */
function sizeOf(hostConfig: HostConfig, standard: number | undefined): number | undefined {
  const names = Object.keys(hostConfig.StorageOpt ?? {}).map((key) => key.toLowerCase())
  return names.includes('size') ? storageSize(hostConfig) : standard
}

/** While both directories are empty. `standard`: bytes for those that name none. */
export function limitLayer(
  { upperDir, workDir, hostConfig }: Layer,
  standard: number | undefined,
): void {
  const size = sizeOf(hostConfig, standard)
  if (size === undefined) return
  const project = freeProject(upperDir)
  for (const directory of [upperDir, workDir]) joinProject(directory, project)
  limitProject(upperDir, project, size)
}

/** The project is free again when its last file has gone. Idempotent. */
export function releaseLayer({ upperDir, hostConfig }: Layer, standard: number | undefined): void {
  if (sizeOf(hostConfig, standard) === undefined) return
  try {
    const project = projectOf(upperDir)
    if (project !== 0) limitProject(upperDir, project, 0)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** Low numbers are an administrator's, or dockerd's. */
const FIRST_PROJECT = 2 ** 24
const END_OF_PROJECTS = 2 ** 31
const MAX_ATTEMPTS = 16

/** By chance, so that several engines on one filesystem do not meet. */
function freeProject(directory: string): number {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const project = randomInt(FIRST_PROJECT, END_OF_PROJECTS)
    const { limitBytes, usedBytes } = projectUse(directory, project)
    if (limitBytes === 0n && usedBytes === 0n) return project
  }
  throw new EngineError('INTERNAL', 'no project of the filesystem is free for storage-opt size')
}

const UNITS = 'kmgtp'

/** go-units RAMInBytes: `10G` = 10 · 2³⁰. */
function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text)
  if (match === null) throw invalid(`invalid size: '${text}'`)
  const exponent = UNITS.indexOf((match[2] ?? '').toLowerCase()) + 1
  return Math.trunc(Number(match[1]) * 1024 ** (match[2] === '' ? 0 : exponent))
}
