import { invalid } from '@ctr/errdefs'

/** Pairs of mount words where the later one wins. mount(8) */
const OPPOSITES: readonly (readonly string[])[] = [
  ['exec', 'noexec'],
  ['suid', 'nosuid'],
  ['dev', 'nodev'],
  ['rw', 'ro'],
  ['sync', 'async'],
  ['atime', 'noatime'],
  ['diratime', 'nodiratime'],
  ['relatime', 'norelatime', 'strictatime'],
  ['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared', 'unbindable', 'runbindable'],
]

const OTHER_FLAGS = ['defaults', 'dirsync', 'remount', 'mand', 'nomand', 'bind', 'rbind']

/**
 * The last word of each kind, in the order given. Docker's MergeTmpfsOptions. INVALID_ARGUMENT: a word that is no flag of
 * mount(8); of what has a value the kernel knows more.
 */
export function mergeTmpfsOptions(words: readonly string[]): string[] {
  const byKind = new Map<string, string>()
  for (const word of words) {
    const kind = kindOf(word)
    if (!isKnown(word)) throw invalid(`invalid tmpfs option "${word}"`)
    byKind.delete(kind)
    byKind.set(kind, word)
  }
  return [...byKind.values()]
}

function isKnown(word: string): boolean {
  return (
    word.includes('=') || OTHER_FLAGS.includes(word) || OPPOSITES.some((all) => all.includes(word))
  )
}

function kindOf(word: string): string {
  const key = word.split('=', 1)[0] ?? word
  const opposites = OPPOSITES.find((words) => words.includes(key))
  return opposites?.[0] ?? key
}
