/**
 * The operations of a launch program: the only language that `ctr-shim` understands. A program is a flat list, run in
 * order by two processes: the shim on the host (`side: 'host'`) and, after `clone`, the child that becomes the
 * container's process (`side: 'child'`). When the side changes from one operation to the next, the one waits for the other,
 * unless the operation is `beside`.
 *
 * This table is the single source: the codec and `--explain` are driven by it, and a test compares it with
 * `ctr-shim --print-protocol`. Codes are never reused. PROTOCOL.md says what each operation does and which errors it gives.
 */
export const FIELD_KINDS = ['u32', 'u64', 'str', 'strs', 'bytes'] as const
/** On the wire (little-endian): u32, u64; bytes = u32 length + bytes; str = u32 length + bytes + NUL (none inside); strs = u32 count + that many str. */
export type FieldKind = (typeof FIELD_KINDS)[number]
export type Side = 'host' | 'child' | 'any'

interface OpShape {
  readonly code: number
  readonly side: Side
  readonly fields: Readonly<Record<string, FieldKind>>
}

const ops = {
  // --- host side: the shim's own resources -------------------------------------------------------------------------
  /** Bind `path`/shim.sock and write `path`/shim.pid; exit record goes to `path`/exit. First in every supervised program. */
  runtime_dir: { code: 1, side: 'host', fields: { path: 'str' } },
  /** Docker's json-file log at `path`, rotated at `max_bytes` (0: never), keeping `max_files`; `flags` LOG_*. `extra` is appended inside each record (`,"attrs":{…}`), may be empty. */
  log_json: {
    code: 2,
    side: 'host',
    fields: { path: 'str', max_bytes: 'u64', max_files: 'u32', flags: 'u32', extra: 'str' },
  },
  /** Stdio of the process: `flags` STDIO_*; pipes owned by uid:gid; terminal size set before exec. */
  stdio: {
    code: 3,
    side: 'host',
    fields: { flags: 'u32', uid: 'u32', gid: 'u32', rows: 'u32', columns: 'u32' },
  },
  /** Read no output until `clients` attach connections have been made, or the starter's connection has closed. */
  expect_attach: { code: 4, side: 'host', fields: { clients: 'u32' } },
  /** mkdir -p of a cgroup directory. At the end the shim kills what is left in it and removes it (children first). */
  cgroup: { code: 5, side: 'host', fields: { path: 'str' } },
  /** Watch `path` (a memory cgroup directory) for OOM kills; `version` 1 (cgroup.event_control) or 2 (memory.events). */
  oom_watch: { code: 6, side: 'host', fields: { path: 'str', version: 'u32' } },
  /** cgroup v2 device policy: load `insns` (struct bpf_insn[]) and attach it to the cgroup `path`. bpf(2) */
  device_bpf: { code: 7, side: 'host', fields: { path: 'str', insns: 'bytes' } },
  /** Listen on `address`:`port` (`protocol` 6 TCP, 17 UDP, 132 SCTP: none where the kernel has no SCTP) and forward to `target_address`:`target_port`. Addresses as text. */
  forward: {
    code: 8,
    side: 'host',
    fields: {
      protocol: 'u32',
      address: 'str',
      port: 'u32',
      target_address: 'str',
      target_port: 'u32',
    },
  },
  /** Open a pidfd of `pid`, check its start time (/proc/PID/stat field 22; 0: do not check), setns(2) its pid namespace for the child to come. */
  join: { code: 9, side: 'host', fields: { pid: 'u32', start_time: 'u64' } },
  /** Open a file on the host for the child: a namespace (in `slot`) used by `setns`. */
  open: { code: 10, side: 'host', fields: { slot: 'u32', path: 'str' } },
  /** clone3(2) with namespace `flags` (CLONE_NEW*); `cgroup` a v2 directory for CLONE_INTO_CGROUP, or empty. */
  clone: { code: 11, side: 'host', fields: { flags: 'u64', cgroup: 'str' } },
  /** Write the child's pid (as seen by the shim) to the file, e.g. cgroup.procs. */
  write_pid: { code: 12, side: 'host', fields: { path: 'str' } },
  /** Write /proc/<child>/{setgroups,uid_map,gid_map}. `setgroups` "allow" or "deny" or empty. user_namespaces(7) */
  id_map: { code: 13, side: 'host', fields: { uid_map: 'str', gid_map: 'str', setgroups: 'str' } },
  /** Supervised programs only: report READY and wait for a START request before going on (OCI create). */
  wait_start: { code: 14, side: 'child', fields: {} },
  /** Unsupervised programs: report DONE and stay until the starter's connection closes. The child keeps its namespaces alive. */
  hold: { code: 15, side: 'any', fields: {} },

  // --- host side: programs of `ctr-shim run`, whose process is handed over to the caller -----------------------------
  /** First in such a program, instead of runtime_dir. `flags` HANDOVER_*; `preserve_fds` descriptors from 4 on become the process's 3 and up. */
  handover: { code: 16, side: 'host', fields: { flags: 'u32', preserve_fds: 'u32' } },
  /** Connect to the Unix socket `path`; the terminal's master is sent there (SCM_RIGHTS). */
  console_socket: { code: 17, side: 'host', fields: { path: 'str' } },
  /** Report READY and wait for a START request before going on: the caller runs hooks. */
  pause: { code: 18, side: 'host', fields: {} },
  /** Make the FIFO `path` (0600) and open it for the child's `gate`. */
  exec_fifo: { code: 19, side: 'host', fields: { path: 'str' } },

  /** After clone: send the child's pidfd to the Unix socket `path` (SCM_RIGHTS, with `name` as the message). */
  pidfd_socket: { code: 92, side: 'host', fields: { path: 'str', name: 'str' } },
  /** Remove `path` and all below it, if it is there. Follows nothing, and enters nothing that is mounted: EBUSY. */
  remove_tree: { code: 93, side: 'host', fields: { path: 'str' } },
  /** mkdir(2) with exactly this `mode`, whatever the umask. */
  directory: { code: 96, side: 'host', fields: { path: 'str', mode: 'u32' } },
  /** After clone: the network device `name` of ours goes to the child's network namespace, as `new_name` (empty: the same), with its permanent addresses of global scope, and is set up. */
  net_device: { code: 94, side: 'host', fields: { name: 'str', new_name: 'str' } },
  /** As `tree`, after clone, of what is mounted at `path` in the child's mount namespace by now; the child gets it before its next turn. */
  child_tree: {
    code: 95,
    side: 'host',
    fields: { slot: 'u32', path: 'str', flags: 'u32', users: 'u32' },
  },
  /** After `clone`: hold a UDP and a TCP socket at 127.0.0.11:`port` in the child's network namespace, for the daemon to answer on. */
  resolver: { code: 97, side: 'host', fields: { port: 'u32' } },

  // --- either side -------------------------------------------------------------------------------------------------
  /** Write `data` to `path` with one write(2); O_WRONLY without O_CREAT. */
  write: { code: 20, side: 'any', fields: { path: 'str', data: 'bytes' } },
  /** Send one rtnetlink message, or a batch for the protocol in nlmsg_pid of its first header, and wait for its ack. Where `pid_offset` is not 0, the child's pid is put there (u32). Errno `ignore` (0: none) counts as success. */
  netlink: {
    code: 21,
    side: 'any',
    fields: { message: 'bytes', pid_offset: 'u32', ignore: 'u32' },
  },
  /** umount2(2). */
  umount: { code: 22, side: 'any', fields: { path: 'str', flags: 'u32' } },

  // --- host side, before clone: mounts for the child, which a user namespace keeps from making them ------------------
  /** A user namespace without processes; `slot` gets its descriptor. Its maps are for ID-mapped mounts. */
  user_namespace: {
    code: 23,
    side: 'host',
    fields: { slot: 'u32', uid_map: 'str', gid_map: 'str' },
  },
  /** Detached copy of the mount at `path` for `slot`; ids mapped by the user namespace in slot `users`, unless NO_SLOT. `flags` BIND_RECURSIVE; BIND_ATTR_RECURSIVE for ids mapped below, too. */
  tree: {
    code: 24,
    side: 'host',
    fields: { slot: 'u32', path: 'str', flags: 'u32', users: 'u32' },
  },
  /** As `overlay`, with the ids of everything below the directories `mapped` (relative to `base`) mapped by slot `users`; `uid` and `gid` are the host's ids of the root inside. Needs Linux 5.19. */
  overlay_tree: {
    code: 25,
    side: 'host',
    fields: {
      slot: 'u32',
      users: 'u32',
      base: 'str',
      mapped: 'strs',
      data: 'str',
      uid: 'u32',
      gid: 'u32',
    },
  },
  /** After clone: write /proc/<child>/`name`. */
  child_proc: { code: 26, side: 'host', fields: { name: 'str', data: 'bytes' } },
  /** As `tree`, of the mount at `path` (without symlinks) in the mount namespace that `open` has put in slot `namespace`. */
  tree_in: { code: 27, side: 'host', fields: { slot: 'u32', namespace: 'u32', path: 'str' } },

  /** A time namespace for the child, with `offsets` as the lines of /proc/PID/timens_offsets; may be empty. */
  time_namespace: { code: 28, side: 'host', fields: { offsets: 'str' } },

  /** The child is cloned from within the namespace of `slot` (setns(2) with `type`), by a helper that joins all of these, the user namespace last. */
  clone_in: { code: 29, side: 'host', fields: { slot: 'u32', type: 'u64' } },

  // --- child side: the root filesystem. Paths are host paths until `root`; then `in root` paths are resolved by openat2(RESOLVE_IN_ROOT) ---
  /** setns(2) to the pidfd of `join` with `flags` (CLONE_NEW*), then, unless that is its network alone, to its root directory. */
  enter: { code: 30, side: 'child', fields: { flags: 'u64' } },
  /** setns(2) to the file of `open`. */
  setns: { code: 31, side: 'child', fields: { slot: 'u32', type: 'u64' } },
  unshare: { code: 32, side: 'child', fields: { flags: 'u64' } },
  /** Change the propagation of the host path `path`: MS_PRIVATE|MS_REC, MS_SLAVE|MS_REC, … */
  propagation: { code: 33, side: 'child', fields: { path: 'str', flags: 'u64' } },
  /** mount overlay on host path `target` with `data`; `base` is made the current directory so that paths in `data` are short. */
  overlay: {
    code: 34,
    side: 'child',
    fields: { base: 'str', target: 'str', flags: 'u64', data: 'str' },
  },
  /** Bind host directory `source` on host path `target` (a root filesystem that is a plain directory). */
  bind_root: { code: 35, side: 'child', fields: { source: 'str', target: 'str' } },
  /** From here on `path` is the root of every `in root` path. */
  root: { code: 36, side: 'child', fields: { path: 'str' } },
  /** mkdir -p in root; only directories made here get mode and owner. */
  mkdir: { code: 37, side: 'child', fields: { path: 'str', mode: 'u32', uid: 'u32', gid: 'u32' } },
  /** mount(2) of a filesystem type on an in-root target, which is made if missing (directory). A tmpfs without `mode=` keeps the mode of a directory that was there. */
  mount: {
    code: 38,
    side: 'child',
    fields: { type: 'str', source: 'str', target: 'str', flags: 'u64', data: 'str' },
  },
  /** Bind host path `source` on in-root `target`, made if missing (file or directory like the source): open_tree, mount_setattr, move_mount. `flags` BIND_*; MOUNT_ATTR_* `attr` to set, `clear` to clear; `propagation` MS_* or 0. */
  bind: {
    code: 39,
    side: 'child',
    fields: {
      source: 'str',
      target: 'str',
      flags: 'u32',
      attr: 'u64',
      clear: 'u64',
      propagation: 'u64',
    },
  },
  symlink: { code: 40, side: 'child', fields: { target: 'str', path: 'str' } },
  /** mknod in root; `type` S_IFCHR, S_IFBLK or S_IFIFO. */
  mknod: {
    code: 41,
    side: 'child',
    fields: {
      path: 'str',
      type: 'u32',
      mode: 'u32',
      major: 'u32',
      minor: 'u32',
      uid: 'u32',
      gid: 'u32',
    },
  },
  /** Hide an in-root path: a file under the container's /dev/null (or see `keep_null`), a directory under an empty read-only tmpfs. Missing: nothing. */
  mask: { code: 42, side: 'child', fields: { path: 'str' } },
  /** Make an in-root path read-only by a bind on itself. Missing: nothing. */
  readonly: { code: 43, side: 'child', fields: { path: 'str' } },
  /** Open a pty in the container's /dev/pts, bind it on /dev/console, hand the master to the shim. */
  console: { code: 44, side: 'child', fields: {} },
  /** pivot_root(2) to the root and detach the old one; no mount point is needed ("." on "."). */
  pivot_root: { code: 45, side: 'child', fields: {} },
  /** For a ramfs host root, where pivot_root fails: mount MS_MOVE on / and chroot. */
  move_root: { code: 46, side: 'child', fields: {} },
  /** Make the root mount read-only (after everything was created in it). */
  readonly_root: { code: 47, side: 'child', fields: {} },

  /** A new file in root (EEXIST if there is one), with missing parents. */
  file: {
    code: 48,
    side: 'child',
    fields: { path: 'str', data: 'bytes', mode: 'u32', uid: 'u32', gid: 'u32' },
  },

  /** Put the tree of `slot` on in-root `target`, as `bind` does; with an empty `target` on /, and from here on it is the root. */
  attach: {
    code: 49,
    side: 'child',
    fields: {
      slot: 'u32',
      target: 'str',
      flags: 'u32',
      attr: 'u64',
      clear: 'u64',
      propagation: 'u64',
    },
  },

  /** A tmpfs as by `mount`, with a copy of what the directory held: files, directories, links and nodes with owner and mode. */
  copy_up: {
    code: 50,
    side: 'child',
    fields: { source: 'str', target: 'str', flags: 'u64', data: 'str' },
  },

  /** chroot(2) to the root, for a container in the mount namespace of its caller. */
  chroot: { code: 51, side: 'child', fields: {} },

  /** SELinux: give the in-root file or directory the label `value`. Nothing where its filesystem has labels of its own. */
  file_label: { code: 52, side: 'child', fields: { path: 'str', value: 'str' } },

  /** The host's /dev/null is what `mask` hides files under, not the root's: that may be anything. Before the change of root. */
  keep_null: { code: 53, side: 'child', fields: {} },

  // --- child side: the process -------------------------------------------------------------------------------------
  sethostname: { code: 60, side: 'child', fields: { name: 'str' } },
  setdomainname: { code: 61, side: 'child', fields: { name: 'str' } },
  /** Write /proc/sys/<key with / for .>. */
  sysctl: { code: 62, side: 'child', fields: { key: 'str', value: 'str' } },
  rlimit: { code: 63, side: 'child', fields: { resource: 'u32', soft: 'u64', hard: 'u64' } },
  oom_score_adj: { code: 64, side: 'child', fields: { value: 'str' } },
  /** New session; with a terminal, the pty becomes stdio and the controlling terminal. */
  setsid: { code: 65, side: 'child', fields: {} },
  umask: { code: 66, side: 'child', fields: { mask: 'u32' } },
  /** Keyring of its own: keyctl(KEYCTL_JOIN_SESSION_KEYRING, name). */
  keyring: { code: 67, side: 'child', fields: { name: 'str' } },
  personality: { code: 68, side: 'child', fields: { persona: 'u64' } },
  /** Drop every capability outside `mask` from the bounding set. */
  bounding: { code: 69, side: 'child', fields: { mask: 'u64' } },
  /** setgroups, setresgid, setresuid, with capabilities kept until `capabilities`; restores the parent-death signal. */
  user: { code: 70, side: 'child', fields: { uid: 'u32', gid: 'u32', groups: 'bytes' } },
  capabilities: {
    code: 71,
    side: 'child',
    fields: { effective: 'u64', permitted: 'u64', inheritable: 'u64', ambient: 'u64' },
  },
  /** chdir(2) after the user is set, then check that the directory is inside the root (CVE-2024-21626). */
  chdir: { code: 72, side: 'child', fields: { path: 'str' } },
  no_new_privs: { code: 73, side: 'child', fields: {} },
  /** seccomp(2) SECCOMP_SET_MODE_FILTER with `filter` (struct sock_filter[]), `flags` SECCOMP_FILTER_FLAG_*. */
  seccomp: { code: 74, side: 'child', fields: { filter: 'bytes', flags: 'u32' } },
  /** Write /proc/self/attr/`name` (exec, apparmor/exec, keycreate). */
  label: { code: 75, side: 'child', fields: { name: 'str', value: 'str' } },
  /** sched_setattr(2) of the process with `attr` (struct sched_attr, 48 bytes). */
  sched_attr: { code: 77, side: 'child', fields: { attr: 'bytes' } },
  /** ioprio_set(2) of the process: class << 13 | level. */
  io_priority: { code: 78, side: 'child', fields: { value: 'u32' } },
  /** Look up the program of `exec`, report READY, wait for a byte in the FIFO of `exec_fifo`. After it nothing is reported any more: errors go to stderr. */
  gate: { code: 76, side: 'child', fields: {} },
  /** What `exec` runs, under the name `args[0]`. Absent: `args[0]`. */
  program: { code: 84, side: 'child', fields: { path: 'str' } },
  /** sched_setaffinity(2) with `mask` (CPU 0 is bit 0 of the first byte); empty: all that the cpuset allows. */
  affinity: { code: 85, side: 'child', fields: { mask: 'bytes' } },
  /** set_mempolicy(2) with `mode` (MPOL_* with MPOL_F_*) and `nodes` (node 0 is bit 0 of the first byte; whole words of 8 bytes). */
  set_mempolicy: { code: 86, side: 'child', fields: { mode: 'u32', nodes: 'bytes' } },
  /** sched_setscheduler, ioprio and others may follow with new codes. Last: look `args[0]` up in `env`'s PATH and execve. */
  exec: { code: 90, side: 'child', fields: { args: 'strs', env: 'strs' } },
  /**
   * Instead of `exec`: execve criu (`args[0]` a path), whose descriptors 3–5 are the process's stdio and 6 is the network
   * namespace. It has to write the host's pid of a child of the shim (--restore-sibling) to `pid_file`: that is the
   * process. Or, with a `request` (`criu swrk 7`), it gets that on descriptor 7 and answers with the pid and the master of
   * the process's terminal. Host operations may follow; they run when criu has ended.
   */
  restore: {
    code: 91,
    side: 'child',
    fields: { pid_file: 'str', args: 'strs', env: 'strs', request: 'bytes' },
  },
} as const satisfies Record<string, OpShape>

export const OPS: { readonly [N in OpName]: (typeof ops)[N] } = ops
export type OpName = keyof typeof ops

type FieldValue = {
  u32: number
  u64: bigint
  str: string
  strs: readonly string[]
  bytes: Uint8Array
}
type OpFields<N extends OpName> = {
  readonly [F in keyof (typeof ops)[N]['fields']]: FieldValue[(typeof ops)[N]['fields'][F] &
    FieldKind]
}
/**
 * One operation. `side` is needed for `any` operations; `optional` failures are warnings. One of the host that is `beside`
 * runs while the child does what stands before it.
 */
export type Op = {
  [N in OpName]: {
    readonly op: N
    readonly side?: 'host' | 'child'
    readonly optional?: boolean
    readonly beside?: boolean
  } & OpFields<N>
}[OpName]
export type Program = readonly Op[]

/** Log flags. */
export const LOG_COMPRESS = 1
export const LOG_NONE = 2
/** `stdio` flags. */
export const STDIO_STDIN = 1
export const STDIO_TTY = 2
/** Close the process's stdin when the first attached client that sent stdin goes away. Docker's StdinOnce. */
export const STDIO_STDIN_ONCE = 4
/** The process has the stdio of the shim itself (`handover`); nothing is made and nothing is read. */
export const STDIO_INHERIT = 8
/** The starter gets this output, in Docker's frames among those of the protocol. */
export const STDIO_STARTER_OUT = 16
export const STDIO_STARTER_ERR = 32
/** Descriptors of criu in `restore`: stdin, stdout and stderr of the process (or its terminal), and the network namespace. */
export const RESTORE_STDIO_FD = 3
export const RESTORE_NETWORK_FD = 6
/** `handover` flags: the shim stays until the process ends, relays the terminal, reports EXIT. */
export const HANDOVER_FOREGROUND = 1
/** `bind` flags. */
export const BIND_RECURSIVE = 1
export const BIND_ATTR_RECURSIVE = 2
/** Fail with ENOENT instead of making the target. */
export const BIND_NO_CREATE = 4
/** `source` is an in-root path, too. */
export const BIND_SOURCE_IN_ROOT = 8
/** `propagation` of the whole tree, though `attr` may be of its top only. BIND_ATTR_RECURSIVE means both. */
export const BIND_SPREAD_RECURSIVE = 16
/** Every attribute but those of `attr` is cleared, as mount(2) does with MS_REMOUNT; times of access only if `clear` names them. */
export const BIND_CLEAR_REST = 32
/** Of a less privileged owner: RDONLY, NOSUID, NODEV, NOEXEC and times of access stay; EPERM if `clear` names one of them. */
export const BIND_LOCKED = 64
/** `source` is relative to what is mounted at the target, and stays below it: EXDEV. */
export const BIND_SOURCE_BELOW_TARGET = 128
export const RESTORE_SOCKET_FD = 7
/** Number of slots, and "none". */
export const SLOTS = 256
export const NO_SLOT = 0xffffffff
