import { messageOf } from '@ctr/errdefs'
import { ExitError } from '../command.ts'
import { readConfigText } from './config-text.ts'

/** `~/.docker/config.json`: shared with the docker CLI, so that logins and formats keep working. */
export interface ConfigFile {
  readonly path: string
  readonly values: ConfigValues
}

export interface ConfigValues {
  readonly auths?: Readonly<Record<string, { auth?: string; identitytoken?: string }>>
  readonly credsStore?: string
  readonly credHelpers?: Readonly<Record<string, string>>
  readonly HttpHeaders?: Readonly<Record<string, string>>
  readonly psFormat?: string
  readonly imagesFormat?: string
  readonly networksFormat?: string
  readonly volumesFormat?: string
  readonly statsFormat?: string
  readonly secretFormat?: string
  readonly detachKeys?: string
  readonly proxies?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Docker's. Ours is beside it, since theirs names another engine. */
  readonly currentContext?: string
  readonly ctr?: { readonly currentContext?: string }
}

export function configDirectory(
  environment: Readonly<Record<string, string | undefined>>,
  flag: string | undefined,
): string {
  return flag ?? environment['DOCKER_CONFIG'] ?? `${environment['HOME'] ?? ''}/.docker`
}

/** Without a file, or with an empty one, or one that cannot be read, nothing is configured. */
export function readConfigFile(directory: string): ConfigFile {
  const path = `${directory}/config.json`
  const text = readConfigText(directory)
  if (text === '') return { path, values: {} }
  try {
    const values: unknown = JSON.parse(text)
    if (typeof values === 'object' && values !== null) return { path, values }
    throw new Error('not an object')
  } catch (error) {
    const reason = messageOf(error)
    throw new ExitError(1, `${path}: ${reason}`)
  }
}
