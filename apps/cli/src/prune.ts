import type { Flag, FlagValues } from './flags/flag.ts'
import { formatSize } from './format/size.ts'
import { checkFilter, parseFilters } from './options/filter.ts'
import { confirm } from './output/confirm.ts'
import { writeOut } from './output/write.ts'

/** What the prune commands share. */
export const PRUNE_FLAGS: readonly Flag[] = [
  {
    name: 'filter',
    kind: 'list',
    value: 'filter',
    help: 'Provide filter values (e.g. "until=<timestamp>")',
    check: checkFilter,
  },
  { name: 'force', short: 'f', kind: 'bool', help: 'Do not prompt for confirmation' },
]

export function pruneFilters(flags: FlagValues): Record<string, string[]> {
  return parseFilters(flags.list('filter'))
}

/** False: the user does not want it. */
export function mayPrune(flags: FlagValues, warning: string): boolean {
  return flags.bool('force') || confirm(warning)
}

export interface Pruned {
  readonly title: string
  readonly names: readonly string[]
  readonly bytes: number
}

export function printPruned({ title, names, bytes }: Pruned): void {
  if (names.length > 0) writeOut(`${title}:\n${names.join('\n')}\n\n`)
  writeOut(`Total reclaimed space: ${formatSize(bytes)}\n`)
}
