import type { ContainerConfig } from '@ctr/api'
import { goRegexp } from '../go-regexp.ts'

/** Labels and variables that the user wants in each record. moby daemon/logger/loginfo.go ExtraAttributes */
export function loggedAttributes(
  config: ContainerConfig,
  options: Readonly<Record<string, string>>,
): Record<string, string> {
  const environment = Object.fromEntries(
    (config.Env ?? []).map((variable) => {
      const equals = variable.indexOf('=')
      return equals === -1
        ? [variable, '']
        : [variable.slice(0, equals), variable.slice(equals + 1)]
    }),
  )
  return {
    ...pick(config.Labels ?? {}, options['labels'], options['labels-regex']),
    ...pick(environment, options['env'], options['env-regex']),
  }
}

function pick(
  values: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  const wanted = new Set((names ?? '').split(',').filter((name) => name !== ''))
  const regex = pattern === undefined || pattern === '' ? undefined : goRegexp(pattern)
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => wanted.has(name) || regex?.test(name) === true),
  )
}
