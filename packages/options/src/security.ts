import { messageOf } from '@ctr/errdefs'
import type { ClientMachine } from './client-machine.ts'

/** `--security-opt`: what the client resolves. Throws an Error with Docker's text. */
export interface SecurityOptions {
  readonly options: string[]
  /** `[]` after `systempaths=unconfined`; undefined leaves the daemon's. */
  readonly systemPaths: string[] | undefined
}

export function parseSecurityOptions(
  values: readonly string[],
  machine: ClientMachine,
): SecurityOptions {
  const isUnconfined = values.includes('systempaths=unconfined')
  const options = values
    .filter((value) => value !== 'systempaths=unconfined')
    .map((option) => resolveOption(option, machine))
  return { options, systemPaths: isUnconfined ? [] : undefined }
}

function resolveOption(option: string, machine: ClientMachine): string {
  if (option === 'no-new-privileges') return option
  const equals = option.indexOf('=')
  const at = equals < 0 ? option.indexOf(':') : equals
  if (at < 0 || at === option.length - 1) {
    if (/^no-new-privileges[=:]$/.test(option)) return option
    throw new Error(`Invalid --security-opt: ${JSON.stringify(option)}`)
  }
  const key = option.slice(0, at)
  const value = option.slice(at + 1)
  if (key !== 'seccomp' || value === 'unconfined' || value === 'builtin') return option
  return `seccomp=${readProfile(value, machine)}`
}

/** The daemon may run elsewhere: it gets the profile, not its path. */
function readProfile(path: string, machine: ClientMachine): string {
  let text: string
  try {
    text = Buffer.from(machine.readFile(path)).toString()
  } catch (error) {
    throw new Error(`opening seccomp profile (${path}) failed: ${messageOf(error)}`)
  }
  try {
    return JSON.stringify(JSON.parse(text))
  } catch (error) {
    throw new Error(`compacting json for seccomp profile (${path}) failed: ${messageOf(error)}`)
  }
}
