import type { SystemVersion } from '@ctr/api'
import { version } from '@ctr/client'
import { isEngineError } from '@ctr/errdefs'
import type { Command } from '../command.ts'
import { INSPECT_FORMAT_FLAG } from '../format/inspect.ts'
import { printObject } from '../format/object.ts'
import { printError, writeOut } from '../output/write.ts'
import { errorText } from '../report-error.ts'
import { CLI_VERSION } from '../version-line.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Show the ctr version information',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'The version of the daemon', command: "ctr version -f '{{.Server.Version}}'" },
  ],
  async run(context, { flags }) {
    let server: SystemVersion | undefined
    let failure: unknown
    try {
      server = await version(context.client)
    } catch (error) {
      if (!isEngineError(error)) throw error
      failure = error
    }
    const client = {
      Version: CLI_VERSION,
      ApiVersion: (context.environment['DOCKER_API_VERSION'] || server?.ApiVersion) ?? '',
      Os: process.platform,
      Arch: goArchitecture(),
    }
    const format = flags.string('format')
    if (format === '') writeOut(versionText(client, server))
    else printObject(format, { Client: client, Server: server ?? null }, VERSION_NAMES)
    if (failure === undefined) return 0
    printError(errorText(failure))
    return 1
  },
}

const VERSION_NAMES = { type: 'system.versionInfo', template: 'version' }

interface ClientVersion {
  readonly Version: string
  readonly ApiVersion: string
  readonly Os: string
  readonly Arch: string
}

function goArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}

function versionText(client: ClientVersion, server: SystemVersion | undefined): string {
  const lines = ['Client:', row('Version', client.Version)]
  if (client.ApiVersion !== '') lines.push(row('API version', client.ApiVersion))
  lines.push(row('OS/Arch', `${client.Os}/${client.Arch}`))
  if (server === undefined) return `${lines.join('\n')}\n`
  const name = server.Platform?.Name ?? ''
  lines.push('', `Server:${name === '' ? '' : ` ${name}`}`)
  for (const component of componentsOf(server)) lines.push(...component)
  return `${lines.join('\n')}\n`
}

function componentsOf(server: SystemVersion): string[][] {
  return (server.Components ?? []).map(({ Name: name, Version: version, Details: details }) => {
    const lines = [` ${name}:`, row('Version', version, 2)]
    for (const [key, label] of Object.entries(DETAILS)) {
      const value = details?.[key]
      if (value === undefined) continue
      const minimum =
        key === 'ApiVersion' ? ` (minimum version ${details?.['MinAPIVersion'] ?? ''})` : ''
      lines.push(row(label, value + minimum, 2))
    }
    if (details?.['Os'] !== undefined)
      lines.push(row('OS/Arch', `${details['Os']}/${details['Arch'] ?? ''}`, 2))
    return lines
  })
}

const DETAILS: Readonly<Record<string, string>> = {
  ApiVersion: 'API version',
  GoVersion: 'Go version',
  NodeVersion: 'Node version',
  GitCommit: 'Git commit',
  BuildTime: 'Built',
}

function row(label: string, value: string, indent = 1): string {
  return `${' '.repeat(indent)}${`${label}:`.padEnd(20 - indent)}${value}`.trimEnd()
}
