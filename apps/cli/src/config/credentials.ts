import { spawn } from 'node:child_process'
import type { AuthConfig } from '@ctr/api'
import { registryOf } from '@ctr/options'
import type { ConfigValues } from './config-file.ts'

/** Credentials for the registry that an image name points to, as the `X-Registry-Auth` header wants them. */
export async function registryAuth(
  config: ConfigValues,
  imageName: string,
): Promise<string | undefined> {
  const credentials = await readCredentials(config, registryOf(imageName))
  return credentials === undefined ? undefined : encodeAuth(credentials)
}

export function encodeAuth(credentials: AuthConfig): string {
  return Buffer.from(JSON.stringify(credentials)).toString('base64url')
}

/** From the helper of this registry, the default helper, or the file itself. */
export async function readCredentials(
  config: ConfigValues,
  registry: string,
): Promise<AuthConfig | undefined> {
  const helper = config.credHelpers?.[registry] ?? (config.credsStore || undefined)
  if (helper !== undefined) return askHelper(helper, registry)
  const entry = config.auths?.[registry] ?? config.auths?.[`https://${registry}`]
  if (entry === undefined) return undefined
  if (entry.identitytoken !== undefined) {
    return { identitytoken: entry.identitytoken, serveraddress: registry }
  }
  const text = Buffer.from(entry.auth ?? '', 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  return {
    username: text.slice(0, colon),
    password: text.slice(colon + 1),
    serveraddress: registry,
  }
}

async function askHelper(helper: string, registry: string): Promise<AuthConfig | undefined> {
  const { status, output } = await runHelper(helper, 'get', registry)
  if (status !== 0) return undefined
  const answer: unknown = JSON.parse(output)
  if (typeof answer !== 'object' || answer === null) return undefined
  const { Username = '', Secret = '' } = answer as { Username?: string; Secret?: string }
  // Docker's convention for a token in place of a password.
  if (Username === '<token>') return { identitytoken: Secret, serveraddress: registry }
  return { username: Username, password: Secret, serveraddress: registry }
}

/** `docker-credential-NAME get|store|erase`: one document in, one out. */
export async function runHelper(
  helper: string,
  action: 'get' | 'store' | 'erase',
  input: string,
): Promise<{ status: number; output: string }> {
  const child = spawn(`docker-credential-${helper}`, [action], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    let output = ''
    child.on('error', reject)
    child.stdin.on('error', () => {
      // The helper did not read its input; its status tells.
    })
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on('close', (status) => resolve({ status: status ?? 1, output }))
    child.stdin.end(input)
  })
}
