import type { ContainerConfig } from '@ctr/api'
import { sortedKeys } from '../sorted-keys.ts'

/** A container's or image's config as dockerd shows it: every field but those of Go's omitempty. An image without labels has null. */
export function renderConfig(
  given: ContainerConfig,
  apiMinor: number,
  noLabels: {} | null = {},
): ContainerConfig {
  const shown: Record<string, unknown> = {
    Hostname: given.Hostname ?? '',
    Domainname: given.Domainname ?? '',
    User: given.User ?? '',
    AttachStdin: given.AttachStdin ?? false,
    AttachStdout: given.AttachStdout ?? false,
    AttachStderr: given.AttachStderr ?? false,
    ...present('ExposedPorts', sortedKeys(given.ExposedPorts ?? {})),
    Tty: given.Tty ?? false,
    OpenStdin: given.OpenStdin ?? false,
    StdinOnce: given.StdinOnce ?? false,
    Env: given.Env ?? null,
    Cmd: given.Cmd ?? null,
    ...present('Healthcheck', withoutZeros(given.Healthcheck)),
    ...present('ArgsEscaped', given.ArgsEscaped === true ? true : undefined),
    Image: given.Image ?? '',
    Volumes: Object.keys(given.Volumes ?? {}).length > 0 ? sortedKeys(given.Volumes ?? {}) : null,
    WorkingDir: given.WorkingDir ?? '',
    // Go's nil and empty lists: a reset entrypoint is shown as none.
    Entrypoint: given.Entrypoint?.length ? given.Entrypoint : null,
    ...present('NetworkDisabled', given.NetworkDisabled === true ? true : undefined),
    // Moved to the endpoint in v1.44.
    ...present('MacAddress', apiMinor < 44 && given.MacAddress ? given.MacAddress : undefined),
    OnBuild: given.OnBuild ?? null,
    Labels: given.Labels ? sortedKeys(given.Labels) : noLabels,
    ...present('StopSignal', given.StopSignal || undefined),
    ...present('StopTimeout', given.StopTimeout),
    ...present('Shell', given.Shell),
  }
  return shown as ContainerConfig
}

/** Go's omitempty of each field. */
function withoutZeros(health: ContainerConfig['Healthcheck']): unknown {
  if (health === undefined || health === null) return undefined
  return Object.fromEntries(
    Object.entries(health).filter(
      ([, value]) => value !== 0 && value !== null && !(Array.isArray(value) && value.length === 0),
    ),
  )
}

function present(key: string, value: unknown): Record<string, unknown> {
  if (value === undefined) return {}
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return {}
  return { [key]: value }
}
