import { invalid } from '@ctr/errdefs'

/** Who a process runs as. */
export interface ResolvedUser {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
  readonly home: string
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

const MAX_ID = 2 ** 31 - 1

/**
 * `user[:group]` by name or number, as libcontainer's GetExecUser; empty is uid 0. `passwd` and `group` are the texts
 * of the container's own files (empty when there are none) and are not trusted.
 */
export function resolveUser(
  text: string,
  groupAdd: readonly string[],
  passwd: string,
  group: string,
): ResolvedUser {
  const [userText = '', ...groupWords] = text.split(':')
  // As dockerd 28 has it: with a second colon it is the name of no group.
  const groupText = groupWords.join(':')
  const user = findUser(userText, passwd)
  const groups = parseGroup(group)
  const supplementary =
    groupText === '' && user.name !== ''
      ? groups.filter((entry) => entry.members.includes(user.name)).map((entry) => entry.gid)
      : []
  const gid = groupText === '' ? user.gid : findGroup(groupText, groups)
  const added = groupAdd.map((name) => findGroup(name, groups))
  const additionalGids = [...new Set([gid, ...supplementary, ...added])]
  for (const id of [user.uid, ...additionalGids]) assertInRange(id)
  return { uid: user.uid, gid, additionalGids, home: user.home === '' ? '/' : user.home }
}

function findUser(text: string, passwd: string): PasswdEntry {
  const number = parseId(text === '' ? '0' : text)
  const entries = parsePasswd(passwd)
  const found = entries.find(
    (entry) => (text !== '' && entry.name === text) || entry.uid === number,
  )
  if (found !== undefined) return found
  if (number === undefined) {
    throw invalid(`unable to find user ${text}: no matching entries in passwd file`)
  }
  return { name: '', uid: number, gid: 0, home: '/' }
}

function findGroup(text: string, groups: readonly GroupEntry[]): number {
  const number = parseId(text)
  const found = groups.find((entry) => entry.name === text || entry.gid === number)
  if (found !== undefined) return found.gid
  if (number === undefined) {
    throw invalid(`unable to find group ${text}: no matching entries in group file`)
  }
  return number
}

/** passwd(5); lines that are none are skipped. */
function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uidText = '', gidText = '', , home = ''] = line.trim().split(':')
    const uid = parseId(uidText)
    const gid = parseId(gidText)
    if (name === '' || uid === undefined || gid === undefined) return []
    return [{ name, uid, gid, home }]
  })
}

/** group(5). */
function parseGroup(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gidText = '', members = ''] = line.trim().split(':')
    const gid = parseId(gidText)
    return name === '' || gid === undefined ? [] : [{ name, gid, members: members.split(',') }]
  })
}

/** Digits only (a sign is part of a number that is then out of range). */
function parseId(text: string): number | undefined {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined
}

function assertInRange(id: number): void {
  if (id < 0 || id > MAX_ID) throw invalid(`uids and gids must be in range 0-${MAX_ID}`)
}
