import { readFileSync } from 'node:fs'

/** One line of /proc/PID/mountinfo. proc_pid_mountinfo(5) */
export interface MountFact {
  readonly id: number
  readonly parentId: number
  /** `major:minor` of the filesystem. */
  readonly device: string
  /** Path of the mounted directory inside its filesystem. */
  readonly root: string
  readonly mountpoint: string
  readonly options: readonly string[]
  /** `shared:2`, `master:1`, `propagate_from:3`, `unbindable`. */
  readonly propagation: readonly string[]
  readonly type: string
  readonly source: string
  readonly superOptions: readonly string[]
}

export function readMountInfo(pid: number | 'self' = 'self'): MountFact[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'))
}

export function parseMountInfo(text: string): MountFact[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ')
    const dash = fields.indexOf('-', 6)
    if (dash === -1) return []
    const [id, parentId, device, root, mountpoint, options] = fields
    return {
      id: Number(id),
      parentId: Number(parentId),
      device: device ?? '',
      root: unescape(root ?? ''),
      mountpoint: unescape(mountpoint ?? ''),
      options: (options ?? '').split(','),
      propagation: fields.slice(6, dash),
      type: fields[dash + 1] ?? '',
      source: unescape(fields[dash + 2] ?? ''),
      superOptions: (fields[dash + 3] ?? '').split(','),
    }
  })
}

/** Space, tab, newline and backslash are written as three octal digits, byte-wise. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
