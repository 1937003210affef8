import type { ImageSearchResult } from '@ctr/api'
import { searchImages } from '@ctr/client'
import type { Command } from '../command.ts'
import { registryAuth } from '../config/credentials.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'
import { ellipsis } from '../format/text.ts'
import { checkFilter, parseFilters } from '../options/filter.ts'

export const command: Command = {
  usage: '[OPTIONS] TERM',
  summary: 'Search Docker Hub for images',
  aliases: ['ctr search'],
  flags: [
    {
      name: 'filter',
      short: 'f',
      kind: 'list',
      value: 'filter',
      help: 'Filter output based on conditions provided',
      check: checkFilter,
    },
    { ...FORMAT_FLAG, help: 'Pretty-print search using a Go template' },
    { name: 'limit', kind: 'int', help: 'Max number of search results' },
    { name: 'no-trunc', kind: 'bool', help: "Don't truncate output" },
  ],
  args: { min: 1, max: 1 },
  examples: [
    { text: 'The official ones', command: 'ctr search --filter is-official=true busybox' },
    { text: 'A registry that has a search', command: 'ctr search registry.example.com/web' },
  ],
  async run({ client, config }, { flags, args }) {
    const term = args[0] as string
    const results = await searchImages(client, {
      term,
      limit: flags.int('limit'),
      filters: parseFilters(flags.list('filter')),
      auth: await registryAuth(config.values, term.toLowerCase()),
    })
    printList(
      results
        .toSorted((a, b) => b.star_count - a.star_count)
        .map((result) => searchRow(result, !flags.bool('no-trunc'))),
      SEARCH_LIST,
      { format: flags.string('format') },
    )
  },
}

const SEARCH_LIST: ListFormat = {
  headers: {
    Name: 'NAME',
    Description: 'DESCRIPTION',
    StarCount: 'STARS',
    IsOfficial: 'OFFICIAL',
    IsAutomated: 'AUTOMATED',
  },
  table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
  quiet: '{{.Name}}',
  rowType: '*formatter.searchContext',
}

const DESCRIPTION_LENGTH = 45

/** docker/cli command/formatter/search.go */
function searchRow(result: ImageSearchResult, truncate: boolean): Row {
  const description = result.description.replaceAll(/[\r\n]/g, ' ')
  const mark = (value: boolean): string => (value ? '[OK]' : '')
  return {
    Description: truncate ? ellipsis(description, DESCRIPTION_LENGTH) : description,
    IsAutomated: mark(result.is_automated),
    IsOfficial: mark(result.is_official),
    Name: result.name,
    StarCount: String(result.star_count),
  }
}
