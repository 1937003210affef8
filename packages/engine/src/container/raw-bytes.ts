import type { ContainerConfig } from '@ctr/api'
import { EngineError } from '@ctr/errdefs'

/** What reaches the process, and only that, may hold bytes that are no UTF-8 (`textOfBytes` of @ctr/api). */
const TAKES_BYTES: readonly (keyof ContainerConfig)[] = [
  'Cmd',
  'Entrypoint',
  'Env',
  'Healthcheck',
  'Labels',
  'Shell',
  'WorkingDir',
]

/** INVALID_ARGUMENT: names and paths of the host would be other ones than was meant. */
export function assertText(
  config: ContainerConfig,
  others: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries({ ...config, ...others })) {
    if ((TAKES_BYTES as readonly string[]).includes(name)) continue
    const wrong = firstIllFormed(value)
    if (wrong === undefined) continue
    const shown = JSON.stringify(wrong)
    throw new EngineError('INVALID_ARGUMENT', `${name}: ${shown} is not valid UTF-8`)
  }
}

/** What never reaches the kernel. */
const TAKES_NUL: readonly string[] = ['Annotations', 'Labels']

/** INVALID_ARGUMENT: whatever reaches the kernel ends at a NUL. Of what runs, the image's part with it. */
export function assertNoNul(
  config: ContainerConfig,
  others: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries({ ...config, ...others })) {
    if (TAKES_NUL.includes(name)) continue
    const wrong = firstWithNul(value)
    if (wrong === undefined) continue
    throw new EngineError(
      'INVALID_ARGUMENT',
      `${name}: ${JSON.stringify(wrong)} contains a NUL byte`,
    )
  }
}

function firstWithNul(value: unknown): string | undefined {
  if (typeof value === 'string') return value.includes('\0') ? value : undefined
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const wrong = key.includes('\0') ? key : firstWithNul(inner)
    if (wrong !== undefined) return wrong
  }
  return undefined
}

function firstIllFormed(value: unknown): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : value
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    const wrong = key.isWellFormed() ? firstIllFormed(inner) : key
    if (wrong !== undefined) return wrong
  }
  return undefined
}
