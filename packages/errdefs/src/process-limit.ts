/**
 * For messages: why the kernel makes no process or thread (EAGAIN), and where to look. pids.max counts threads, and that of a cgroup
 * above counts, too. fork(2), cgroup-v2.rst
 */
export const PROCESS_LIMIT =
  "the limit of processes is reached: raise pids.max of the daemon's cgroup and of those above it (TasksMax= of its service), or kernel.pid_max"
