import type { Secret } from '@ctr/api'
import { listSecrets } from '@ctr/client'
import { FILTER_FLAG, parseFilters } from '@ctr/options'
import type { Command } from '../command.ts'
import { humanDuration } from '../format/duration.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'
import { labelsText } from '../format/text.ts'

export const command: Command = {
  usage: '[OPTIONS]',
  summary: 'List secrets',
  aliases: ['ctr secret ls', 'ctr secret list'],
  flags: [
    FILTER_FLAG,
    FORMAT_FLAG,
    { name: 'quiet', short: 'q', kind: 'bool', help: 'Only display IDs' },
  ],
  args: { min: 0, max: 0 },
  examples: [{ text: 'Names only', command: "ctr secret ls --format '{{.Name}}'" }],
  async run({ client, config }, { flags }) {
    const secrets = await listSecrets(client, parseFilters(flags.list('filter')))
    const rows = secrets
      .toSorted((a, b) => (a.Spec.Name < b.Spec.Name ? -1 : 1))
      .map((secret) => secretRow(secret, Date.now()))
    const format = flags.optional('format') ?? config.values.secretFormat ?? ''
    printList(rows, SECRET_LIST, { format, quiet: flags.bool('quiet') })
  },
}

const SECRET_LIST: ListFormat = {
  headers: {
    ID: 'ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    CreatedAt: 'CREATED',
    UpdatedAt: 'UPDATED',
    Labels: 'LABELS',
  },
  table: '{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.CreatedAt}}\t{{.UpdatedAt}}',
  quiet: '{{.ID}}',
  rowType: '*formatter.secretContext',
}

function secretRow(secret: Secret, nowMs: number): Row {
  const { ID, Spec, CreatedAt, UpdatedAt } = secret
  const ago = (time: string): string => `${humanDuration(nowMs - Date.parse(time))} ago`
  return {
    CreatedAt: ago(CreatedAt),
    Driver: '',
    ID,
    Labels: labelsText(Spec.Labels),
    Name: Spec.Name,
    UpdatedAt: ago(UpdatedAt),
    Label: (name: unknown) => Spec.Labels?.[String(name)] ?? '',
  }
}
