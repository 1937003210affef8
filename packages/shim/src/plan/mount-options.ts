import { MOUNT_ATTR, MS } from './constants.ts'

/** What the option words of a mount mean. runtime-spec config.md#linux-mount-options */
export interface MountOptions {
  /** MS_* of a mount of a filesystem. */
  readonly flags: bigint
  /** MOUNT_ATTR_* of a bind: of the mount itself, and of it and everything below. */
  readonly attributes: bigint
  readonly recursiveAttributes: bigint
  /** MOUNT_ATTR_* that words such as `rw` or `exec` take away. */
  readonly clears: bigint
  readonly recursiveClears: bigint
  /** There is a word about MS_* flags, if only one such as `rw` or `exec`. */
  readonly hasFlags: boolean
  readonly bind: 'none' | 'single' | 'recursive'
  /** MS_SHARED, MS_SLAVE, …, or 0n; with MS_REC for the r-words. The last word wins. */
  readonly propagation: bigint
  /** `idmap`, `ridmap`: the ids of a bind's files go through a map. */
  readonly isIdMapped: boolean
  /** `ridmap`: those of the mounts below it, too. */
  readonly isMappedRecursively: boolean
  /** A tmpfs begins with a copy of what the directory holds. */
  readonly isCopy: boolean
  /** Where the source of a bind is: on the host, a path inside the root, or one below what is at the target. */
  readonly sourceIn: 'host' | 'root' | 'target'
  /** Everything else, for the filesystem. */
  readonly data: string
}

type Effect = readonly ['set' | 'clear', flags: bigint, attributes: bigint]

const A = MOUNT_ATTR

const WORDS: Readonly<Record<string, Effect>> = {
  defaults: ['set', 0n, 0n],
  ro: ['set', MS.MS_RDONLY, A.MOUNT_ATTR_RDONLY],
  rw: ['clear', MS.MS_RDONLY, A.MOUNT_ATTR_RDONLY],
  nosuid: ['set', MS.MS_NOSUID, A.MOUNT_ATTR_NOSUID],
  suid: ['clear', MS.MS_NOSUID, A.MOUNT_ATTR_NOSUID],
  nodev: ['set', MS.MS_NODEV, A.MOUNT_ATTR_NODEV],
  dev: ['clear', MS.MS_NODEV, A.MOUNT_ATTR_NODEV],
  noexec: ['set', MS.MS_NOEXEC, A.MOUNT_ATTR_NOEXEC],
  exec: ['clear', MS.MS_NOEXEC, A.MOUNT_ATTR_NOEXEC],
  nosymfollow: ['set', MS.MS_NOSYMFOLLOW, A.MOUNT_ATTR_NOSYMFOLLOW],
  symfollow: ['clear', MS.MS_NOSYMFOLLOW, A.MOUNT_ATTR_NOSYMFOLLOW],
  noatime: ['set', MS.MS_NOATIME, A.MOUNT_ATTR_NOATIME],
  atime: ['clear', MS.MS_NOATIME, A.MOUNT_ATTR_NOATIME],
  nodiratime: ['set', MS.MS_NODIRATIME, A.MOUNT_ATTR_NODIRATIME],
  diratime: ['clear', MS.MS_NODIRATIME, A.MOUNT_ATTR_NODIRATIME],
  relatime: ['set', MS.MS_RELATIME, 0n],
  norelatime: ['clear', MS.MS_RELATIME, 0n],
  strictatime: ['set', MS.MS_STRICTATIME, A.MOUNT_ATTR_STRICTATIME],
  nostrictatime: ['clear', MS.MS_STRICTATIME, A.MOUNT_ATTR_STRICTATIME],
  sync: ['set', MS.MS_SYNCHRONOUS, 0n],
  async: ['clear', MS.MS_SYNCHRONOUS, 0n],
  dirsync: ['set', MS.MS_DIRSYNC, 0n],
  mand: ['set', MS.MS_MANDLOCK, 0n],
  nomand: ['clear', MS.MS_MANDLOCK, 0n],
  iversion: ['set', MS.MS_I_VERSION, 0n],
  noiversion: ['clear', MS.MS_I_VERSION, 0n],
  lazytime: ['set', MS.MS_LAZYTIME, 0n],
  nolazytime: ['clear', MS.MS_LAZYTIME, 0n],
  silent: ['set', MS.MS_SILENT, 0n],
  loud: ['clear', MS.MS_SILENT, 0n],
  remount: ['set', MS.MS_REMOUNT, 0n],
}

const ATIME_FLAGS = MS.MS_NOATIME | MS.MS_NODIRATIME | MS.MS_RELATIME | MS.MS_STRICTATIME
/** MOUNT_ATTR__ATIME; relatime is none of its bits. */
const ATIME = 0x70n

/** Not in the runtime spec: for a bind of something that an earlier mount has brought. */
export const IN_ROOT = 'x-ctr.in-root'
/** The same, of a part of what is at the destination: the source is relative to that, and no symlink leads out of it. */
export const BELOW_TARGET = 'x-ctr.below-target'

/** `rro`, `rnosuid`, …: the attribute for the whole tree. */
const RECURSIVE = new Set(
  `ro rw nosuid suid nodev dev noexec exec nosymfollow symfollow noatime atime nodiratime diratime relatime norelatime
   strictatime nostrictatime`.split(/\s+/),
)

const PROPAGATION: Readonly<Record<string, bigint>> = {
  private: MS.MS_PRIVATE,
  slave: MS.MS_SLAVE,
  shared: MS.MS_SHARED,
  unbindable: MS.MS_UNBINDABLE,
}

/** Words for whoever reads fstab, not for the kernel. */
const IGNORED = new Set(['nofail', '_netdev', 'auto', 'noauto', 'user', 'nouser', 'group'])

export function parseMountOptions(words: readonly string[]): MountOptions {
  let flags = 0n
  let clears = 0n
  let hasFlags = false
  let recursiveAttributes = 0n
  let recursiveClears = 0n
  let bind: MountOptions['bind'] = 'none'
  let propagation = 0n
  let isIdMapped = false
  let isMappedRecursively = false
  let isCopy = false
  let sourceIn: MountOptions['sourceIn'] = 'host'
  const data: string[] = []
  for (const word of words) {
    const effect = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined
    const spread = parsePropagation(word)
    if (effect !== undefined) {
      const [kind, flag, attribute] = effect
      flags = kind === 'set' ? flags | flag : flags & ~flag
      clears = kind === 'set' ? clears & ~attribute : clears | attribute
      hasFlags ||= flag !== 0n && flag !== MS.MS_REMOUNT
    } else if (word === 'bind' || word === 'rbind') {
      bind = word === 'bind' ? 'single' : 'recursive'
    } else if (spread !== undefined) {
      propagation = spread
    } else if (word.startsWith('r') && RECURSIVE.has(word.slice(1))) {
      const [kind, flag, attribute] = WORDS[word.slice(1)] ?? (['set', 0n, 0n] as const)
      // Times of access are an enumeration: to set one is to clear all.
      const isAtime = (flag & ATIME_FLAGS) !== 0n && flag !== MS.MS_NODIRATIME
      const whole = isAtime && !(kind === 'clear' && attribute === 0n) ? ATIME : attribute
      recursiveAttributes &= ~whole
      if (kind === 'set') recursiveAttributes |= attribute
      recursiveClears =
        kind === 'set' && !isAtime ? recursiveClears & ~whole : recursiveClears | whole
    } else if (word === 'idmap' || word === 'ridmap') {
      isIdMapped = true
      isMappedRecursively = word === 'ridmap'
    } else if (word === 'tmpcopyup') {
      isCopy = true
    } else if (word === IN_ROOT) {
      sourceIn = 'root'
    } else if (word === BELOW_TARGET) {
      sourceIn = 'target'
    } else if (word !== '' && !IGNORED.has(word)) {
      data.push(word)
    }
  }
  const atime = flags & ATIME_FLAGS
  return {
    flags,
    attributes: attributesOf(flags),
    recursiveAttributes,
    // Those of access times come by another word only: mount(2) keeps what there is.
    clears:
      (clears & ~(ATIME | A.MOUNT_ATTR_NODIRATIME)) | (atime === 0n ? 0n : replacedAtime(flags)),
    recursiveClears,
    hasFlags,
    bind,
    propagation,
    isIdMapped,
    isMappedRecursively,
    isCopy,
    sourceIn,
    data: data.join(','),
  }
}

/** What mount(2) with MS_REMOUNT|MS_BIND would set: relatime, unless a flag says otherwise. */
function attributesOf(flags: bigint): bigint {
  const single = Object.values(WORDS).filter(
    ([kind, flag]) => kind === 'set' && (flag & flags) !== 0n && (flag & ATIME_FLAGS) === 0n,
  )
  const atime =
    flags & MS.MS_STRICTATIME
      ? A.MOUNT_ATTR_STRICTATIME
      : flags & MS.MS_NOATIME
        ? A.MOUNT_ATTR_NOATIME
        : 0n
  const diratime = flags & MS.MS_NODIRATIME ? A.MOUNT_ATTR_NODIRATIME : 0n
  return single.reduce((all, [, , attribute]) => all | attribute, atime | diratime)
}

function replacedAtime(flags: bigint): bigint {
  return flags & MS.MS_NODIRATIME ? ATIME : ATIME | A.MOUNT_ATTR_NODIRATIME
}

/** `rslave` → MS_SLAVE|MS_REC; undefined for any other word. */
export function parsePropagation(word: string): bigint | undefined {
  if (Object.hasOwn(PROPAGATION, word)) return PROPAGATION[word]
  const single = word.startsWith('r') ? word.slice(1) : ''
  const flag = Object.hasOwn(PROPAGATION, single) ? PROPAGATION[single] : undefined
  return flag === undefined ? undefined : flag | MS.MS_REC
}

/** All words that have a meaning of their own here, sorted: what an OCI runtime's `features` lists. */
export function mountOptionWords(): string[] {
  return [
    ...Object.keys(WORDS),
    ...[...RECURSIVE].map((word) => `r${word}`),
    ...Object.keys(PROPAGATION).flatMap((word) => [word, `r${word}`]),
    'bind',
    'rbind',
    'idmap',
    'ridmap',
    'tmpcopyup',
  ].sort()
}
