import { posix } from 'node:path'
import type { ContainerConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'
import type { ImageExecConfig } from '@ctr/oci'

/** What the user asked for, completed by what the image says. moby daemon/commit.go merge */
export function mergeConfig(user: ContainerConfig, image: ImageExecConfig): ContainerConfig {
  const exposed = { ...image.ExposedPorts, ...user.ExposedPorts }
  const volumes = { ...image.Volumes, ...user.Volumes }
  const health = mergeHealthcheck(user, image)
  const stopSignal = firstNonEmpty(user.StopSignal, image.StopSignal)
  const config: ContainerConfig = {
    ...user,
    ...mergeCommand(user, image),
    User: firstNonEmpty(user.User, image.User),
    Env: mergeEnv(user.Env ?? [], image.Env ?? []),
    WorkingDir: cleanPath(firstNonEmpty(user.WorkingDir, image.WorkingDir)),
    Labels: { ...image.Labels, ...user.Labels },
    ...(Object.keys(exposed).length > 0 ? { ExposedPorts: exposed } : {}),
    ...(Object.keys(volumes).length > 0 ? { Volumes: volumes } : {}),
    ...(stopSignal === '' ? {} : { StopSignal: stopSignal }),
    ...(health === undefined ? {} : { Healthcheck: health }),
  }
  if ((config.Entrypoint ?? []).length === 0 && (config.Cmd ?? []).length === 0) {
    throw new EngineError('INVALID_ARGUMENT', 'no command specified')
  }
  return config
}

/** The words that run: Entrypoint, then Cmd. */
export function commandOf(config: ContainerConfig): { path: string; args: string[] } {
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]
  return { path, args }
}

/** An own entrypoint drops the image's Cmd; `[""]` resets the entrypoint. */
function mergeCommand(
  user: ContainerConfig,
  image: ImageExecConfig,
): Pick<ContainerConfig, 'Entrypoint' | 'Cmd'> {
  const hasEntrypoint = (user.Entrypoint ?? []).length > 0
  const isReset = user.Entrypoint?.length === 1 && user.Entrypoint[0] === ''
  const cmd = (user.Cmd ?? []).length > 0 || hasEntrypoint ? user.Cmd : image.Cmd
  const entrypoint = user.Entrypoint === undefined ? image.Entrypoint : user.Entrypoint
  const isEmpty = isReset || entrypoint === null || entrypoint === undefined
  return {
    ...(cmd === null || cmd === undefined ? {} : { Cmd: [...cmd] }),
    ...(isEmpty ? { Entrypoint: [] } : { Entrypoint: [...entrypoint] }),
  }
}

/** The user's first, then the image's that the user has not set. */
function mergeEnv(user: readonly string[], image: readonly string[]): string[] {
  const names = new Set(user.map(nameOf))
  return [...user, ...image.filter((variable) => !names.has(nameOf(variable)))]
}

function nameOf(variable: string): string {
  return variable.split('=', 1)[0] ?? ''
}

function mergeHealthcheck(
  user: ContainerConfig,
  image: ImageExecConfig,
): ContainerConfig['Healthcheck'] {
  const own = user.Healthcheck
  if (image.Healthcheck === undefined) return own
  const inherited = Object.fromEntries(
    Object.entries(image.Healthcheck).filter(([, value]) => value !== undefined),
  )
  if (own === undefined) return inherited
  const set = Object.entries(own).filter(([, value]) =>
    Array.isArray(value) ? value.length > 0 : value !== 0,
  )
  return { ...inherited, ...Object.fromEntries(set) }
}

/** Go's filepath.Clean, but nothing stays nothing. */
function cleanPath(text: string): string {
  if (text === '') return ''
  const path = posix.normalize(text)
  return path === '/' ? path : path.replace(/\/$/, '')
}

function firstNonEmpty(...values: (string | undefined)[]): string {
  return values.find((value) => value !== undefined && value !== '') ?? ''
}
