import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ConfigFile, ConfigValues } from './config-file.ts'
import { runHelper } from './credentials.ts'

export interface NewCredentials {
  readonly username: string
  readonly password: string
  readonly identitytoken: string | undefined
}

/** In the credential helper when one is configured, else in config.json (base64, mode 0600), as docker. */
export async function storeCredentials(
  config: ConfigFile,
  server: string,
  credentials: NewCredentials,
): Promise<void> {
  const { username, password, identitytoken } = credentials
  const helper = helperFor(config.values, server)
  if (helper !== undefined) {
    const Secret = identitytoken ?? password
    const Username = identitytoken === undefined ? username : '<token>'
    const document = JSON.stringify({ ServerURL: server, Username, Secret })
    const { status, output } = await runHelper(helper, 'store', document)
    if (status !== 0) throw new Error(`error storing credentials: ${output.trim()}`)
    return
  }
  const secret = Buffer.from(`${username}:${identitytoken === undefined ? password : ''}`).toString(
    'base64',
  )
  const entry = { auth: secret, ...(identitytoken === undefined ? {} : { identitytoken }) }
  writeConfig(config.path, { ...config.values, auths: { ...config.values.auths, [server]: entry } })
}

/** False when there was nothing to erase. */
export async function eraseCredentials(config: ConfigFile, server: string): Promise<boolean> {
  const helper = helperFor(config.values, server)
  if (helper !== undefined) return (await runHelper(helper, 'erase', server)).status === 0
  if (config.values.auths?.[server] === undefined) return false
  const { [server]: _, ...auths } = config.values.auths
  writeConfig(config.path, { ...config.values, auths })
  return true
}

function helperFor(values: ConfigValues, server: string): string | undefined {
  return values.credHelpers?.[server] ?? (values.credsStore || undefined)
}

/** Never half written, never readable by others. */
function writeConfig(path: string, values: ConfigValues): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomUUID()}`
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(fd, `${JSON.stringify(values, undefined, '\t')}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
}
