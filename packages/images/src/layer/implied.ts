import { chmodSync, chownSync } from 'node:fs'
import { fromText, toText } from '../tar/format.ts'
import { MergedTree } from './merged.ts'

/**
 * A layer may hold `a/b/file` and no member for `a` or `a/b`. Overlay shows the attributes of the topmost directory, so
 * those are copied from the layers below (top first), as containerd does. `directory` is ours alone.
 */
export function copyAttributes(
  below: readonly string[],
  directory: string,
  impliedDirectories: readonly string[],
): void {
  if (impliedDirectories.length === 0) return
  using tree = new MergedTree(below)
  for (const path of impliedDirectories) {
    const found = tree.lookup(toText(path), { follow: false })
    if (found === undefined || !found.stats.isDirectory()) continue
    // Safe by name: implied directories are real ones, in a directory that is ours alone.
    const root = fromText(directory)
    const target = Buffer.from(path === '' ? root : `${root}/${path}`, 'latin1')
    chownSync(target, found.stats.uid, found.stats.gid)
    chmodSync(target, found.stats.mode & 0o7777)
  }
}
