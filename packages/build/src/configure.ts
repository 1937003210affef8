import { posix } from 'node:path'
import { invalid } from '@ctr/errdefs'
import { normalizePorts } from '@ctr/images'
import { type ImageExecConfig, type ImageHealthcheck, parseSignal } from '@ctr/oci'
import type { CommandLine, Instruction, KeyValue } from './dockerfile/instruction.ts'

/** Instructions that change an image's configuration and none of its files. */
export type Setting = Exclude<
  Instruction,
  { readonly name: 'FROM' | 'ARG' | 'ADD' | 'COPY' | 'RUN' | 'WORKDIR' | 'MAINTAINER' }
>

export interface Configured {
  readonly config: ImageExecConfig
  /** As the history has it. */
  readonly comment: string
  readonly note?: string
}

const DEFAULT_SHELL = ['/bin/sh', '-c']

/** What a setting makes of a configuration; its words are expanded already. `isCmdSet`: CMD was in this stage. */
export function configure(
  config: ImageExecConfig,
  setting: Setting,
  { isCmdSet }: { readonly isCmdSet: boolean },
): Configured {
  switch (setting.name) {
    case 'ENV':
      return {
        config: { ...config, Env: withVariables(config.Env ?? [], setting.pairs) },
        comment: `ENV ${pairsText(setting.pairs)}`,
      }
    case 'LABEL': {
      const labels = Object.fromEntries(setting.pairs.map(({ key, value }) => [key, value]))
      return {
        config: { ...config, Labels: { ...config.Labels, ...labels } },
        comment: `LABEL ${pairsText(setting.pairs)}`,
      }
    }
    case 'CMD': {
      const words = commandWords(config, setting.command)
      const next = { ...config, Cmd: words.length === 0 ? undefined : words }
      return { config: next, comment: `CMD ${quotedList(words)}` }
    }
    case 'ENTRYPOINT': {
      const words = commandWords(config, setting.command)
      // The command that was inherited belongs to the old entrypoint.
      const next = { ...config, Entrypoint: words.length === 0 ? undefined : words }
      return {
        config: isCmdSet ? next : { ...next, Cmd: undefined },
        comment: `ENTRYPOINT ${quotedList(words)}`,
      }
    }
    case 'USER':
      return { config: { ...config, User: setting.value }, comment: `USER ${setting.value}` }
    case 'STOPSIGNAL':
      if (parseSignal(setting.value) === undefined) {
        throw invalid(`Invalid signal: ${setting.value}`)
      }
      return {
        config: { ...config, StopSignal: setting.value },
        comment: `STOPSIGNAL ${setting.value}`,
      }
    case 'EXPOSE': {
      const ports = setting.words.flatMap(normalizePorts)
      return {
        config: { ...config, ExposedPorts: { ...config.ExposedPorts, ...toSet(ports) } },
        comment: `EXPOSE ${setting.words.join(' ')}`,
      }
    }
    case 'VOLUME':
      if (setting.words.includes('')) throw invalid('VOLUME specified can not be an empty string')
      return {
        config: { ...config, Volumes: { ...config.Volumes, ...toSet(setting.words) } },
        comment: `VOLUME [${setting.words.join(' ')}]`,
      }
    case 'SHELL':
      return {
        config: { ...config, Shell: [...setting.words] },
        comment: `SHELL [${setting.words.join(' ')}]`,
      }
    case 'ONBUILD':
      return {
        config: { ...config, OnBuild: [...(config.OnBuild ?? []), setting.value] },
        comment: `ONBUILD ${setting.value}`,
      }
    case 'HEALTHCHECK':
      return withHealthcheck(config, setting.check)
  }
}

function withHealthcheck(config: ImageExecConfig, check: ImageHealthcheck): Configured {
  const previous = config.Healthcheck?.Test ?? []
  const { Test = [], Interval = 0, Timeout = 0, StartPeriod = 0, Retries = 0 } = check
  const times = [Interval, Timeout, StartPeriod].map((ns) => JSON.stringify(goDuration(ns)))
  const comment = `HEALTHCHECK &{${quotedList(Test)} ${times.join(' ')} ${goRune(Retries)}}`
  const note = `Note: overriding previous HEALTHCHECK: [${previous.join(' ')}]\n`
  return {
    // Times that it does not say are those of before, as dockerd's commit has it.
    config: { ...config, Healthcheck: { ...config.Healthcheck, ...check } },
    comment,
    ...(previous.length === 0 ? {} : { note }),
  }
}

/** Of `WORKDIR`: an absolute path stays as it is written, and is in the configuration as such. */
export function workdirOf(config: ImageExecConfig, path: string): string {
  if (path === '') throw invalid('cannot normalize nothing')
  return path.startsWith('/') ? path : workingDirectory(config, path)
}

/** A relative path goes on from the present directory. */
export function workingDirectory(config: ImageExecConfig, path: string): string {
  const whole = path.startsWith('/') ? path : `${config.WorkingDir || '/'}/${path}`
  const clean = posix.normalize(`/${whole}`)
  return clean.length > 1 ? clean.replace(/\/$/, '') : clean
}

export function shellOf(config: ImageExecConfig): readonly string[] {
  return (config.Shell ?? []).length > 0 ? (config.Shell ?? []) : DEFAULT_SHELL
}

/** The words that run. */
export function commandWords(config: ImageExecConfig, command: CommandLine): string[] {
  return command.isShell ? [...shellOf(config), ...command.words] : [...command.words]
}

/** Set where they are, else behind the others. */
export function withVariables(env: readonly string[], pairs: readonly KeyValue[]): string[] {
  const all = [...env]
  for (const { key, value } of pairs) {
    const at = all.findIndex((item) => item.split('=', 1)[0] === key)
    if (at === -1) all.push(`${key}=${value}`)
    else all[at] = `${key}=${value}`
  }
  return all
}

export function environmentOf(config: ImageExecConfig): Map<string, string> {
  return new Map(
    (config.Env ?? []).map((item) => {
      const at = item.indexOf('=')
      return at === -1 ? [item, ''] : [item.slice(0, at), item.slice(at + 1)]
    }),
  )
}

function pairsText(pairs: readonly KeyValue[]): string {
  return pairs.map(({ key, value }) => `${key}=${value}`).join(' ')
}

/** Go's %q of strings. */
function quotedList(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(' ')}]`
}

/** Go's time.Duration.String. */
function goDuration(ns: number): string {
  if (ns === 0) return '0s'
  if (ns < 1e9) return `${ns / 1e6}ms`
  const seconds = ns / 1e9
  const minutes = Math.floor(seconds / 60)
  const rest = `${Number((seconds - minutes * 60).toFixed(9))}s`
  if (minutes === 0) return rest
  const hours = Math.floor(minutes / 60)
  return hours === 0 ? `${minutes}m${rest}` : `${hours}h${minutes % 60}m${rest}`
}

const GO_ESCAPES: Readonly<Record<number, string>> = {
  7: '\\a',
  8: '\\b',
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  39: "\\'",
  92: '\\\\',
}

/** Go's %q of a number: the character that it is. */
function goRune(code: number): string {
  const escaped = GO_ESCAPES[code]
  if (escaped !== undefined) return `'${escaped}'`
  if (code < 32 || code === 127) return `'\\x${code.toString(16).padStart(2, '0')}'`
  return `'${code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code)}'`
}

function toSet(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]))
}
