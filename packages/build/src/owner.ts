import { EngineError } from '@ctr/errdefs'

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Of `--chown=user[:group]`: names are those of the image's files. Without a group it is the one that is called as the user. */
export function parseOwner(
  text: string,
  files: { readonly passwd: string; readonly group: string },
): Owner {
  const [user = '', group = user] = text.split(':')
  return { uid: idOf(files.passwd, user, 'user'), gid: idOf(files.group, group, 'group') }
}

function idOf(file: string, name: string, kind: 'user' | 'group'): number {
  for (const line of file.split('\n')) {
    const [entry, , id = ''] = line.split(':')
    if (entry === name && name !== '' && /^[0-9]{1,10}$/.test(id)) return Number(id)
  }
  if (/^[0-9]{1,10}$/.test(name) && Number(name) < 2 ** 32 - 1) return Number(name)
  const what = kind === 'user' ? 'uid' : 'gid'
  throw new EngineError(
    'INVALID_ARGUMENT',
    `unable to convert uid/gid chown string to host mapping: can't find ${what} for ${kind} ${name}: no such ${kind}: ${name}`,
  )
}
