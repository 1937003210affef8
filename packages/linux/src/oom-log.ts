import { closeSync, constants, openSync, readSync } from 'node:fs'
import { isErrno } from '@ctr/errdefs'

/** A process that the kernel has killed for want of memory. */
export interface OomKill {
  /** Path of its memory cgroup in its hierarchy. */
  readonly cgroup: string
  /** Name of its program, as the kernel prints it: at most 15 bytes. */
  readonly name: string
  readonly pid: number
}

/** Longer than any record. Documentation/ABI/testing/dev-kmsg */
const RECORD_BYTES = 8 * 1024
/** Kills of cgroups that nobody asks for are forgotten in the end. */
const KEPT = 256

/**
 * The kernel's log, read for who was killed in which cgroup: memory.events only counts. A host that does not let us
 * read it, or a kernel that prints less, names nobody.
 */
export class OomLog implements Disposable {
  #fd: number | undefined
  #kills: OomKill[] = []
  readonly #buffer = Buffer.alloc(RECORD_BYTES)

  /** The last kill in a cgroup whose path `isWanted`, told once. */
  take(isWanted: (cgroup: string) => boolean): OomKill | undefined {
    this.#drain()
    const kill = this.#kills.findLast(({ cgroup }) => isWanted(cgroup))
    this.#kills = this.#kills.filter(({ cgroup }) => !isWanted(cgroup))
    return kill
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  /** What has come since the last time. Never waits. */
  #drain(): void {
    try {
      this.#fd ??= openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK)
      for (let record = this.#read(this.#fd); record !== undefined; record = this.#read(this.#fd)) {
        const kill = parseOomKill(record)
        if (kill !== undefined) this.#kills.push(kill)
      }
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'ENXIO')) throw error
    }
    this.#kills = this.#kills.slice(-KEPT)
  }

  /** One record; empty when some were overwritten before we read them. Undefined: there is no more. */
  #read(fd: number): string | undefined {
    try {
      return this.#buffer.toString('latin1', 0, readSync(fd, this.#buffer, 0, RECORD_BYTES, null))
    } catch (error) {
      if (isErrno(error, 'EPIPE', 'EINVAL')) return ''
      if (isErrno(error, 'EAGAIN')) return undefined
      throw error
    }
  }
}

/** mm/oom_kill.c, dump_oom_summary: `oom-kill:constraint=…,task_memcg=/a/b,task=sh,pid=12,uid=0`. Linux 5.0 */
export function parseOomKill(record: string): OomKill | undefined {
  const [, text = ''] = /^[^;]*;(.*)/.exec(record) ?? []
  if (!text.startsWith('oom-kill:')) return undefined
  const [, cgroup, name, pid] = /,task_memcg=(.*?),task=(.*),pid=(\d+),uid=\d+$/.exec(text) ?? []
  if (cgroup === undefined || name === undefined) return undefined
  return { cgroup, name, pid: Number(pid) }
}
