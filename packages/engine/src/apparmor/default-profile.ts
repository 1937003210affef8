import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import type { RuntimeSpec } from '@ctr/oci'
import type { ContainerRecord } from '../container/container.ts'
import { parseSecurityOptions } from '../container/security-options.ts'
import type { Engine } from '../engine.ts'
import type { Logger } from '../logger.ts'
import { chooseProfile, DEFAULT_PROFILE, profileText } from './profile.ts'

const DIRECTORY = '/etc/apparmor.d'
/** apparmor_parser compiles it: a second on a slow machine. */
const LOAD_TIMEOUT_MS = 30_000

/**
 * Once for each boot: the kernel keeps it. Without apparmor_parser, or the right to load, containers run without a
 * profile, and this says so.
 */
export async function loadDefaultProfile(
  host: Pick<Engine['host'], 'appArmor'>,
  log: Logger,
): Promise<void> {
  if (!host.appArmor || isLoaded()) return
  const text = profileText({
    hasTunables: existsSync(`${DIRECTORY}/tunables/global`),
    hasBase: existsSync(`${DIRECTORY}/abstractions/base`),
    own: ownProfile(),
  })
  const { promise, resolve } = Promise.withResolvers<Error | undefined>()
  // -K: without the cache; -r: also over one of an older engine.
  const child = execFile(
    'apparmor_parser',
    ['-Kr'],
    { timeout: LOAD_TIMEOUT_MS },
    (error, _stdout, stderr) =>
      resolve(error === null ? undefined : new Error(stderr.trim() || error.message)),
  )
  child.stdin?.on('error', () => undefined) // it is not there
  child.stdin?.end(text)
  const err = await promise
  if (err !== undefined) {
    log.warn({ profile: DEFAULT_PROFILE, err }, 'containers run without an AppArmor profile')
  }
}

/** For the plan of a container and for clients. */
export function containerProfile(
  { config, host }: Pick<Engine, 'config' | 'host'>,
  { hostConfig }: Pick<ContainerRecord, 'hostConfig'>,
): string {
  return chooseProfile({
    hasAppArmor: host.appArmor,
    asked: parseSecurityOptions(hostConfig.SecurityOpt ?? [], config).apparmorProfile,
    isPrivileged: hostConfig.Privileged === true,
    isDefaultLoaded: isLoaded,
  })
}

export function withAppArmor(spec: RuntimeSpec, profile: string): RuntimeSpec {
  if (profile === '' || spec.process === undefined) return spec
  return { ...spec, process: { ...spec.process, apparmorProfile: profile } }
}

/** apparmor(7): lines `name (mode)`. */
function isLoaded(): boolean {
  try {
    const profiles = readFileSync('/sys/kernel/security/apparmor/profiles', 'utf8')
    return profiles.split('\n').some((line) => line.startsWith(`${DEFAULT_PROFILE} (`))
  } catch {
    return false // securityfs is not mounted, or not ours to read
  }
}

function ownProfile(): string {
  try {
    return readFileSync('/proc/self/attr/apparmor/current', 'utf8').replace(/ \(.*|\n$/g, '')
  } catch {
    return 'unconfined'
  }
}
