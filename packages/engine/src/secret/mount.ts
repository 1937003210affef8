import { posix } from 'node:path'
import type { HostConfig } from '@ctr/api'
import { invalid } from '@ctr/errdefs'
import { BIND_SOURCE_IN_ROOT, type Op, withContext } from '@ctr/shim'
import type { Engine } from '../engine.ts'

type SecretMount = NonNullable<HostConfig['Secrets']>[number]

export const SECRETS_DIRECTORY = '/run/secrets'

/** linux/mount.h */
const MS_RDONLY = 1n
const MS_NOSUID = 2n
const MS_NODEV = 4n
const MS_NOEXEC = 8n
const MS_REMOUNT = 32n
const MS_BIND = 4096n
const MOUNT_ATTR_RDONLY_NOSUID_NODEV_NOEXEC = 0xfn
const SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC

interface PlacedSecret {
  readonly source: string
  /** Absolute and clean. */
  readonly target: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** INVALID_ARGUMENT, NOT_FOUND. */
export function validateSecrets(
  engine: Pick<Engine, 'secrets'>,
  hostConfig: HostConfig,
  mountDestinations: readonly string[],
): void {
  const secrets = hostConfig.Secrets ?? []
  for (const secret of secrets) validateSecret(engine, secret)
  const targets = secrets
    .filter((secret) => !isEnvironment(secret))
    .map((one) => place(engine, one))
  const seen = new Set(mountDestinations)
  for (const { target } of targets) {
    const isHidden = mountDestinations.some(
      (path) => path === SECRETS_DIRECTORY || path.startsWith(`${SECRETS_DIRECTORY}/`),
    )
    if (seen.has(target) || isHidden) throw invalid(`Duplicate mount point: ${target}`)
    seen.add(target)
  }
}

function validateSecret(engine: Pick<Engine, 'secrets'>, secret: SecretMount): void {
  const { Source = '', Type = 'mount', Target = '', Mode = 0, UID = 0, GID = 0 } = secret
  engine.secrets.get(Source)
  if (Type !== 'mount' && Type !== 'env') throw invalid(`secret ${Source}: type ${Type} is invalid`)
  if (Target.includes('\0') || Target.split('/').includes('..') || Target.endsWith('/')) {
    throw invalid(`secret ${Source}: invalid target ${JSON.stringify(Target)}`)
  }
  if (Type === 'env' && Target !== '' && !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(Target)) {
    throw invalid(`secret ${Source}: ${JSON.stringify(Target)} is no name of a variable`)
  }
  if (Mode < 0 || Mode > 0o7777) throw invalid(`secret ${Source}: invalid mode`)
  for (const id of [UID, GID]) {
    if (id < 0 || id >= 2 ** 32 - 1) throw invalid(`secret ${Source}: invalid uid or gid`)
  }
}

/** `NAME=value` for those that are given as variables. */
export function secretEnvironment(
  engine: Pick<Engine, 'secrets'>,
  hostConfig: HostConfig,
): string[] {
  return (hostConfig.Secrets ?? []).filter(isEnvironment).map((secret) => {
    const { Source = '', Target = '' } = secret
    const name = Target === '' ? engine.secrets.get(Source).name : Target
    const value = engine.secrets.dataOf(Source).toString()
    if (value.includes('\0')) throw invalid(`secret ${Source} has a NUL byte: not for a variable`)
    return `${name}=${value}`
  })
}

/**
 * Files on a tmpfs of the container's own, which is in no other mount namespace. Those whose target lies elsewhere are
 * on a second one beneath it, and bound to their targets.
 */
export function secretOps(
  engine: Pick<Engine, 'secrets'>,
  hostConfig: HostConfig,
  mountLabel: string,
): Op[] {
  const placed = (hostConfig.Secrets ?? [])
    .filter((secret) => !isEnvironment(secret))
    .map((secret) => place(engine, secret))
  const isInside = ({ target }: PlacedSecret): boolean => target.startsWith(`${SECRETS_DIRECTORY}/`)
  const inside = placed.filter(isInside)
  const outside = placed.filter((secret) => !isInside(secret))
  return [
    ...(outside.length === 0 ? [] : [tmpfs(mountLabel)]),
    ...outside.flatMap((secret, index): Op[] => {
      const path = `${SECRETS_DIRECTORY}/${index}`
      return [
        file(engine, secret, path),
        {
          op: 'bind',
          source: path,
          target: secret.target,
          flags: BIND_SOURCE_IN_ROOT,
          attr: MOUNT_ATTR_RDONLY_NOSUID_NODEV_NOEXEC,
          clear: 0n,
          propagation: 0n,
        },
      ]
    }),
    ...(placed.length === 0 ? [] : [tmpfs(mountLabel)]),
    ...inside.map((secret) => file(engine, secret, secret.target)),
    ...(placed.length === 0 ? [] : [remountReadOnly()]),
  ]
}

function tmpfs(mountLabel: string): Op {
  const data = withContext('mode=0755,size=16m', mountLabel)
  return {
    op: 'mount',
    type: 'tmpfs',
    source: 'tmpfs',
    target: SECRETS_DIRECTORY,
    flags: SAFE,
    data,
  }
}

function remountReadOnly(): Op {
  const flags = MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE
  return { op: 'mount', type: '', source: '', target: SECRETS_DIRECTORY, flags, data: '' }
}

function file(engine: Pick<Engine, 'secrets'>, secret: PlacedSecret, path: string): Op {
  const { mode, uid, gid } = secret
  return { op: 'file', path, data: engine.secrets.dataOf(secret.source), mode, uid, gid }
}

function place(engine: Pick<Engine, 'secrets'>, secret: SecretMount): PlacedSecret {
  const { Source = '', Target = '', Mode = 0o444, UID = 0, GID = 0 } = secret
  const name = Target === '' ? engine.secrets.get(Source).name : Target
  const target = posix.resolve(SECRETS_DIRECTORY, name)
  return { source: Source, target, mode: Mode, uid: UID, gid: GID }
}

function isEnvironment(secret: SecretMount): boolean {
  return secret.Type === 'env'
}
