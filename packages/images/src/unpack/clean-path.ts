import { TarError } from '../tar/format.ts'

/** The path below the root: no leading slash, no `.`; `..` is applied to the text, as Docker does, and must not lead out. */
export function cleanPath(path: string): string {
  // `tar -C directory .` puts it before every name.
  const rest = path.startsWith('./') ? path.slice(2) : path
  if (!/(?:^|\/)(?:\.{0,2})(?:\/|$)/.test(rest)) return rest
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue
    if (name !== '..') names.push(name)
    else if (names.pop() === undefined)
      throw new TarError(`${path} is outside of the archive's root`)
  }
  return names.join('/')
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}
