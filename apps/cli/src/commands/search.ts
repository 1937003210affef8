import type { ImageSearchResult } from '@ctr/api'
import { searchImages } from '@ctr/client'
import { FILTER_FLAG, parseFilters } from '@ctr/options'
import type { Command } from '../command.ts'
import { registryAuth } from '../config/credentials.ts'
import { FORMAT_FLAG, type ListFormat, printList, type Row } from '../format/list.ts'
import { ellipsis } from '../format/text.ts'
import { printError } from '../output/write.ts'

export const command: Command = {
  usage: '[OPTIONS] TERM',
  summary: 'Search Docker Hub for images',
  aliases: ['ctr search'],
  flags: [
    FILTER_FLAG,
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
    const filters = parseFilters(flags.list('filter'))
    if (filters['is-automated'] !== undefined) printError(AUTOMATED_WARNING)
    const limit = flags.int('limit') ?? 0
    const results = await searchImages(client, {
      term,
      // As docker: what is no limit is not sent.
      limit: limit > 0 ? limit : undefined,
      filters,
      auth: await registryAuth(config.values, term.toLowerCase()),
    })
    const format = flags.string('format')
    const isJson = format === 'json'
    const truncates = !flags.bool('no-trunc')
    printList(
      results.map((result) => searchRow(result, { truncates, isJson })),
      SEARCH_LIST,
      { format },
    )
  },
}

const AUTOMATED_WARNING =
  'WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will not yield any results in future.'

const SEARCH_LIST: ListFormat = {
  headers: {
    Name: 'NAME',
    Description: 'DESCRIPTION',
    StarCount: 'STARS',
    IsOfficial: 'OFFICIAL',
  },
  table: '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}',
  quiet: '{{.Name}}',
  rowType: '*registry.searchContext',
}

const DESCRIPTION_LENGTH = 45

/** docker/cli command/registry/formatter_search.go */
function searchRow(
  { name, description, star_count, is_official }: ImageSearchResult,
  o: { readonly truncates: boolean; readonly isJson: boolean },
): Row {
  const text = description.replaceAll(/[\r\n]/g, ' ')
  return {
    Description: o.truncates ? ellipsis(text, DESCRIPTION_LENGTH) : text,
    IsOfficial: o.isJson ? String(is_official) : is_official ? '[OK]' : '',
    Name: name,
    StarCount: String(star_count),
  }
}
