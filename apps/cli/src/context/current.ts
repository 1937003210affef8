import type { FlagValues } from '@ctr/options'
import { readConfigText } from '../config/config-text.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The environment, or the default socket. */
export const DEFAULT_CONTEXT = 'default'

/** Variables that name a daemon themselves, the first one counts. */
const HOST_VARIABLES = ['CTR_HOST', 'DOCKER_HOST'] as const

export function hostVariable(
  environment: Environment,
): (typeof HOST_VARIABLES)[number] | undefined {
  return HOST_VARIABLES.find((name) => (environment[name] ?? '') !== '')
}

/**
 * Which context counts: --context, then none if -H or a variable names a daemon, then CTR_CONTEXT, DOCKER_CONTEXT, then what
 * `ctr context use` has kept. docker's own current context does not count: it names another engine.
 */
export function currentContext(
  flags: FlagValues,
  environment: Environment,
  configDirectory: string,
): string {
  const flag = flags.string('context')
  if (flag !== '') return flag
  if (flags.list('host').length > 0 || hostVariable(environment) !== undefined)
    return DEFAULT_CONTEXT
  const variable = environment['CTR_CONTEXT'] || environment['DOCKER_CONTEXT']
  return variable || keptContext(readConfigText(configDirectory)) || DEFAULT_CONTEXT
}

function keptContext(text: string): string | undefined {
  if (!text.includes('"ctr"')) return undefined
  try {
    const { ctr } = JSON.parse(text) as { ctr?: { currentContext?: unknown } }
    return typeof ctr?.currentContext === 'string' ? ctr.currentContext : undefined
  } catch {
    return undefined // not JSON
  }
}
