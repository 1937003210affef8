import type { Command } from '../command.ts'
import { defaultAddress } from '../config/daemon-host.ts'
import { DEFAULT_CONTEXT, hostVariable } from '../context/current.ts'
import { ContextStore } from '../context/store.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'
import { printError } from '../output/write.ts'

const CONTEXT_LIST: ListFormat = {
  headers: {
    Name: 'NAME',
    Description: 'DESCRIPTION',
    DockerEndpoint: 'DOCKER ENDPOINT',
    Error: 'ERROR',
    Current: '',
  },
  table: '{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}',
  quiet: '{{.Name}}',
  rowType: '*formatter.clientContextContext',
}

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'List contexts',
  aliases: ['ctr context ls', 'ctr context list'],
  flags: [
    FORMAT_FLAG,
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only show context names' },
  ],
  args: { min: 0, max: 0 },
  examples: [{ text: 'Names only', command: 'ctr context ls -q' }],
  async run({ contextName, globals, environment, configDirectory }, { flags }) {
    const current = contextName
    const stored = new ContextStore(configDirectory).list()
    const row = (name: string, description: string, address: string): Row => ({
      Current: name === current,
      Description: description,
      DockerEndpoint: address,
      Error: '',
      Name: name,
    })
    const rows = stored.map(({ Name, Metadata, Endpoints }) =>
      row(Name, Metadata.Description ?? '', Endpoints.docker?.Host ?? ''),
    )
    const description = 'Current DOCKER_HOST based configuration'
    rows.push(row(DEFAULT_CONTEXT, description, defaultAddress(globals, environment)))
    if (!rows.some(({ Current }) => Current === true)) {
      const missing = `context "${current}": context not found`
      rows.push({ ...row(current, '', ''), Error: missing })
    }
    rows.sort((a, b) => (String(a['Name']) < String(b['Name']) ? -1 : 1))
    printList(rows, CONTEXT_LIST, { format: flags.string('format'), quiet: flags.bool('quiet') })
    const variable = hostVariable(environment)
    if (variable === undefined || flags.bool('quiet')) return
    printError(
      `Warning: ${variable} environment variable overrides the active context. To use a context, either set the global --context flag, or unset ${variable} environment variable.`,
    )
  },
}
