import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { libc } from './libc.ts'
import { pidfdOpen } from './syscalls.ts'

const syscall = libc.func('long syscall(long number, ...)')

const SYS_pidfd_getfd = 438

/**
 * A descriptor of our own of a socket that another process holds; undefined if it does not, or has gone. `inode`: as in
 * /proc/PID/net/udp. pidfd_getfd(2), Linux 5.6
 */
export function takeSocket(holder: number, inode: string): number | undefined {
  const fd = descriptorOf(holder, `socket:[${inode}]`)
  if (fd === undefined) return undefined
  const process = pidfdOpen(holder)
  try {
    const taken = syscall(SYS_pidfd_getfd, 'int', process, 'int', fd, 'uint', 0) as number
    return taken < 0 ? undefined : taken
  } finally {
    closeSync(process)
  }
}

function descriptorOf(pid: number, target: string): number | undefined {
  const directory = `/proc/${pid}/fd`
  const name = readdirSync(directory).find((one) => {
    try {
      return readlinkSync(`${directory}/${one}`) === target
    } catch {
      return false // closed meanwhile
    }
  })
  return name === undefined ? undefined : Number(name)
}

/** proc(5), /proc/PID/status. */
export function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
