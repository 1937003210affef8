import { type Host, parseHost, type TlsFiles } from '@ctr/client'
import { ExitError } from '../command.ts'
import { messageOf } from '../error-message.ts'
import type { FlagValues } from '../flags/flag.ts'
import { nodeFs } from '../node-modules.ts'

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_HOST = 'unix:///var/run/ctr.sock'

/** `-H`, then CTR_HOST, then DOCKER_HOST, then the default: never another engine by accident. */
export function daemonHost(flags: FlagValues, environment: Environment, directory: string): Host {
  const given = flags.list('host')
  if (given.length > 1) throw new ExitError(1, 'specify only one -H')
  const text = given[0] ?? (environment['CTR_HOST'] || environment['DOCKER_HOST'] || DEFAULT_HOST)
  try {
    return parseHost(text, tlsFiles(flags, environment, directory))
  } catch (error) {
    throw new ExitError(1, messageOf(error))
  }
}

function tlsFiles(
  flags: FlagValues,
  environment: Environment,
  directory: string,
): TlsFiles | undefined {
  const verify = flags.bool('tlsverify') || (environment['DOCKER_TLS_VERIFY'] ?? '') !== ''
  if (!verify && !flags.bool('tls') && (environment['DOCKER_TLS'] ?? '') === '') return undefined
  const certificates = environment['DOCKER_CERT_PATH'] || directory
  const file = (flag: string, name: string): string | undefined => {
    const path = flags.optional(flag) ?? `${certificates}/${name}`
    return flags.isSet(flag) || nodeFs().existsSync(path) ? path : undefined
  }
  return {
    ca: file('tlscacert', 'ca.pem'),
    cert: file('tlscert', 'cert.pem'),
    key: file('tlskey', 'key.pem'),
    verify,
  }
}
