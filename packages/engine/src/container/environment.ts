import type { ContainerConfig } from '@ctr/api'
import { DEFAULT_PATH } from '@ctr/oci'

/**
 * The environment of a container's process: Docker's own variables and those of links, overridden by the config's. A variable without `=`
 * removes one. HOME is the user's unless it is set. moby container/env.go
 */
export function processEnvironment(
  config: ContainerConfig,
  hostname: string,
  home: string,
  linked: readonly string[] = [],
): string[] {
  const own = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${hostname}`]
  if (config.Tty === true) own.push('TERM=xterm')
  own.push(...linked)
  return withHome(overrideEnvironment(own, config.Env ?? []), home)
}

export function overrideEnvironment(
  base: readonly string[],
  overrides: readonly string[],
): string[] {
  const variables = new Map(base.map((variable) => [nameOf(variable), variable]))
  for (const variable of overrides) {
    if (variable.includes('=')) variables.set(nameOf(variable), variable)
    else variables.delete(variable)
  }
  return [...variables.values()]
}

export function withHome(environment: readonly string[], home: string): string[] {
  const isSet = environment.some((variable) => /^HOME=./.test(variable))
  if (isSet) return [...environment]
  return [...environment.filter((variable) => variable !== 'HOME='), `HOME=${home}`]
}

function nameOf(variable: string): string {
  return variable.split('=', 1)[0] ?? ''
}
