import { type Host, parseHost, type TlsFiles } from '@ctr/client'
import { messageOf } from '@ctr/errdefs'
import type { FlagValues } from '@ctr/options'
import { ExitError } from '../command.ts'
import { DEFAULT_CONTEXT, hostVariable } from '../context/current.ts'
import { ContextStore } from '../context/store.ts'
import { nodeFs, nodePath } from '../node-modules.ts'

type Environment = Readonly<Record<string, string | undefined>>

export const DEFAULT_HOST = 'unix:///var/run/ctr.sock'

/** `name`: of the context that counts. */
export function daemonHost(
  flags: FlagValues,
  environment: Environment,
  directory: string,
  name: string,
): Host {
  if (flags.list('host').length > 0 && flags.string('context') !== '') {
    throw new ExitError(1, 'conflicting options: cannot specify both --host and --context')
  }
  if (name !== DEFAULT_CONTEXT) return contextHost(new ContextStore(directory), name)
  try {
    return parseHost(defaultAddress(flags, environment), tlsFiles(flags, environment, directory))
  } catch (error) {
    throw new ExitError(1, messageOf(error))
  }
}

/** Of the context `default`. */
export function defaultAddress(flags: FlagValues, environment: Environment): string {
  const given = flags.list('host')
  if (given.length > 1) throw new ExitError(1, 'specify only one -H')
  const variable = hostVariable(environment)
  return given[0] || (variable === undefined ? DEFAULT_HOST : (environment[variable] ?? ''))
}

function contextHost(store: ContextStore, name: string): Host {
  try {
    const { Host: address = DEFAULT_HOST, SkipTLSVerify = false } =
      store.get(name).Endpoints.docker ?? {}
    const files = store.tls(name)
    const path = (file: keyof typeof files): string | undefined =>
      files[file] === undefined ? undefined : nodePath().join(store.tlsPath(name), 'docker', file)
    if (Object.keys(files).length === 0 && !SkipTLSVerify) return parseHost(address)
    const [ca, cert, key] = [path('ca.pem'), path('cert.pem'), path('key.pem')]
    return parseHost(address, { ca, cert, key, verify: !SkipTLSVerify })
  } catch (error) {
    throw new ExitError(
      1,
      `Failed to initialize: unable to resolve docker endpoint: ${messageOf(error)}`,
    )
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
    const path = flags.optional(flag) ?? nodePath().join(certificates, name)
    return flags.isSet(flag) || nodeFs().existsSync(path) ? path : undefined
  }
  return {
    ca: file('tlscacert', 'ca.pem'),
    cert: file('tlscert', 'cert.pem'),
    key: file('tlskey', 'key.pem'),
    verify,
  }
}
