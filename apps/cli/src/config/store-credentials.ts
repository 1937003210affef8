import type { ConfigFile, ConfigValues } from './config-file.ts'
import { runHelper } from './credentials.ts'
import { writeConfig } from './write-config.ts'

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
