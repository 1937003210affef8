import { readFileSync } from 'node:fs'
import { invalid, isErrno } from '@ctr/errdefs'

export interface IdRange {
  readonly hostID: number
  readonly size: number
}

interface Entry extends IdRange {
  /** Name or number, as written. */
  readonly owner: string
}

/** Users that `default` stands for: ours, and the one that dockerd makes. */
const DEFAULT_USERS = ['ctr', 'dockremap']
const DEFAULT_SIZE = 65_536
/** First id that useradd(8) gives away (SUB_UID_MIN of login.defs). */
const FIRST_FREE = 100_000

/** userns-remap: `default`, `user[:group]` or `uid[:gid]`, by /etc/subuid and /etc/subgid. INVALID_ARGUMENT. */
export function remapRange(
  remap: string,
  read: (path: string) => string = readText,
): { uids: IdRange; gids: IdRange } {
  const users = parseSubordinates(read('/etc/subuid'))
  const groups = parseSubordinates(read('/etc/subgid'))
  if (remap === 'default') {
    for (const name of DEFAULT_USERS) {
      const uids = users.find(({ owner }) => owner === name)
      const gids = groups.find(({ owner }) => owner === name)
      if (uids !== undefined && gids !== undefined)
        return { uids: rangeOf(uids), gids: rangeOf(gids) }
    }
    // Nobody's, as useradd would choose it.
    const hostID = [...users, ...groups].reduce(
      (free, entry) => Math.max(free, entry.hostID + entry.size),
      FIRST_FREE,
    )
    const range = { hostID, size: DEFAULT_SIZE }
    return { uids: range, gids: range }
  }
  const [user = '', group = user, ...more] = remap.split(':')
  if (user === '' || group === '' || more.length > 0) {
    throw invalid(
      `invalid userns-remap ${JSON.stringify(remap)}: must be default, user[:group] or uid[:gid]`,
    )
  }
  return {
    uids: find(users, namesOf(user, read('/etc/passwd')), user, '/etc/subuid'),
    gids: find(groups, namesOf(group, read('/etc/group')), group, '/etc/subgid'),
  }
}

function rangeOf({ hostID, size }: IdRange): IdRange {
  return { hostID, size }
}

function find(
  entries: readonly Entry[],
  names: readonly string[],
  who: string,
  file: string,
): IdRange {
  const entry = entries.find(({ owner }) => names.includes(owner))
  if (entry === undefined)
    throw invalid(`userns-remap: no subordinate ids for ${JSON.stringify(who)} in ${file}`)
  return rangeOf(entry)
}

/** subuid(5) has entries by name and by number. */
function namesOf(who: string, database: string): string[] {
  const fields = database.split('\n').map((line) => line.split(':'))
  const same = fields.filter(([name, , id]) => name === who || id === who)
  return [who, ...same.flatMap(([name, , id]) => [name ?? '', id ?? ''])]
}

function parseSubordinates(text: string): Entry[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([^:#]+):(\d{1,10}):(\d{1,10})\s*$/.exec(line)
    const [, owner = '', first, size] = match ?? []
    return match === null || Number(size) === 0
      ? []
      : [{ owner, hostID: Number(first), size: Number(size) }]
  })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}
