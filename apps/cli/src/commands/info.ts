import type { SystemInfo } from '@ctr/api'
import { info } from '@ctr/client'
import { isEngineError } from '@ctr/errdefs'
import type { Command } from '../command.ts'
import { infoText } from '../format/info-text.ts'
import { INSPECT_FORMAT_FLAG } from '../format/inspect.ts'
import { printObject } from '../format/object.ts'
import { printError, writeOut } from '../output/write.ts'
import { errorText } from '../report-error.ts'
import { CLI_VERSION } from '../version-line.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  aliases: ['ctr system info', 'ctr info'],
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0, max: 0 },
  examples: [
    { text: 'Everything', command: 'ctr info' },
    { text: 'One value', command: "ctr info -f '{{.CgroupVersion}}'" },
  ],
  async run({ client, contextName, globals }, { flags }) {
    const format = flags.string('format')
    const isDebugging = globals.bool('debug')
    const clientText = `Client:
 Version:    ${CLI_VERSION}
 Context:    ${contextName}
 Debug Mode: ${isDebugging}

Server:
`
    let server: SystemInfo
    try {
      server = await info(client)
    } catch (error) {
      if (!isEngineError(error) || format !== '') throw error
      writeOut(clientText)
      printError(errorText(error))
      return 1
    }
    if (format === '') {
      writeOut(clientText + infoText(server, { isDebugging }))
      for (const warning of server.Warnings ?? []) printError(warning)
    } else {
      const all = {
        ...server,
        ClientInfo: { Debug: isDebugging, Version: CLI_VERSION, Context: contextName },
      }
      printObject(format, all, { type: 'system.dockerInfo' })
    }
    return 0
  },
}
