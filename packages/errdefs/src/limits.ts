/** For messages: why the daemon opens nothing (EMFILE, ENFILE), and where to look. */
export const DESCRIPTOR_LIMIT =
  "the limit of open files is reached: raise LimitNOFILE= of the daemon's service (ulimit -n), or fs.file-max, or close connections"

/** What runtimes, libraries and threads make of it; not all of them leave a code. */
const NO_DESCRIPTOR = /\b(?:EMFILE|ENFILE)\b|too many open files/i

/** By its code, or its text, or those of what caused it. */
export function isDescriptorLimit(error: unknown): boolean {
  let cause = error
  for (let depth = 0; cause instanceof Error && depth < 8; depth++) {
    const code = 'code' in cause ? cause.code : undefined
    if (code === 'EMFILE' || code === 'ENFILE' || NO_DESCRIPTOR.test(cause.message)) return true
    cause = cause.cause
  }
  return false
}

/**
 * For messages: why the kernel makes no process or thread (EAGAIN), and where to look. pids.max counts threads, and that of a cgroup
 * above counts, too. fork(2), cgroup-v2.rst
 */
export const PROCESS_LIMIT =
  "the limit of processes is reached: raise pids.max of the daemon's cgroup and of those above it (TasksMax= of its service), or kernel.pid_max"
