import type { DryRun } from '@ctr/client'
import { checkFilter, type Flag, type FlagValues, parseFilters } from '@ctr/options'
import { formatSize } from './format/size.ts'
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
  { name: 'dry-run', kind: 'bool', help: 'Print what would be removed; remove nothing' },
]

export function pruneFilters(flags: FlagValues): Record<string, string[]> {
  return parseFilters(flags.list('filter'))
}

/** False: the user does not want it. */
export function mayPrune(flags: FlagValues, warning: string): boolean {
  return flags.bool('dry-run') || flags.bool('force') || confirm(warning)
}

/** For the client's prune calls. */
export function dryRunOf(flags: FlagValues): DryRun | undefined {
  return flags.bool('dry-run') ? {} : undefined
}

export interface Pruned {
  readonly isDryRun: boolean
  readonly title: string
  readonly names: readonly string[]
  readonly bytes: number
}

export function printPruned({ title, names, bytes, isDryRun }: Pruned): void {
  printSection(title, names, isDryRun)
  printTotal(bytes, isDryRun)
}

/** `title` begins with `Deleted`, which it has not been in a dry run. */
export function printSection(title: string, names: readonly string[], isDryRun: boolean): void {
  const shown = isDryRun ? title.replace('Deleted', 'Would delete') : title
  if (names.length > 0) writeOut(`${shown}:\n${names.join('\n')}\n\n`)
}

export function printTotal(bytes: number, isDryRun: boolean): void {
  writeOut(`Total ${isDryRun ? 'reclaimable' : 'reclaimed'} space: ${formatSize(bytes)}\n`)
}
