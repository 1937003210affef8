import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isErrno } from '@ctr/errdefs'
import { lsetxattr } from './xattr.ts'

/** The labels that a host's policy has for containers. selinux(8), go-selinux */
export interface ContainerContexts {
  readonly process: string
  readonly file: string
}

const DIRECTORY = '/etc/selinux'

/** Of `SELINUXTYPE` in /etc/selinux/config; undefined where the policy knows no containers. lxc_contexts(5) */
export function readContainerContexts(directory = DIRECTORY): ContainerContexts | undefined {
  try {
    const config = readFileSync(join(directory, 'config'), 'utf8')
    const type = /^\s*SELINUXTYPE\s*=\s*(\S+)/m.exec(config)?.[1] ?? 'targeted'
    const text = readFileSync(join(directory, type, 'contexts/lxc_contexts'), 'utf8')
    const named = (name: string): string | undefined =>
      new RegExp(`^\\s*${name}\\s*=\\s*"?([^"\\s]+)"?\\s*$`, 'm').exec(text)?.[1]
    const process = named('process')
    const file = named('file')
    return process === undefined || file === undefined ? undefined : { process, file }
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** Of a path itself, not of what a symlink points to. False where the file system has no labels. */
export function setFileLabel(path: string, label: string): boolean {
  try {
    lsetxattr(path, 'security.selinux', Buffer.from(`${label}\0`))
    return true
  } catch (error) {
    if (isErrno(error, 'EOPNOTSUPP')) return false
    throw error
  }
}

/** The path and all below it, without following symlinks. What goes away meanwhile is no error. */
export function relabelTree(path: string, label: string): void {
  const left = [path]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    try {
      if (!setFileLabel(next, label)) return
      const directory = next
      const entries = readdirSync(directory, { withFileTypes: true })
      left.push(...entries.map(({ name }) => join(directory, name)))
    } catch (error) {
      if (!isErrno(error, 'ENOTDIR') && (next === path || !isErrno(error, 'ENOENT'))) throw error
    }
  }
}
