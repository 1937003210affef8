/*
 * The closed set of messages between the daemon and the shim. PROTOCOL.md is the contract; src/ops.ts and
 * src/frames.ts are the other side, and a test compares them with `ctr-shim --print-protocol`.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#define PROTOCOL_VERSION 1u
#define PROGRAM_MAX (16u << 20)
#define PROGRAM_OPS_MAX 16384u
#define START_MAGIC "CTR1"
#define PREPARE_MAGIC "CTRP"
#define PREPARE_LOOPBACK 1u /* beside the flags of clone, where the number of a signal would be */

enum side { SIDE_HOST, SIDE_CHILD, SIDE_ANY };

/* Field kinds: I u32, L u64, S str, V strs, B bytes. */
#define OPS(X)                                                                                                         \
  X(RUNTIME_DIR, 1, HOST, "runtime_dir", "S", "path")                                                                  \
  X(LOG_JSON, 2, HOST, "log_json", "SLIIS", "path max_bytes max_files flags extra")                                    \
  X(STDIO, 3, HOST, "stdio", "IIIII", "flags uid gid rows columns")                                                    \
  X(EXPECT_ATTACH, 4, HOST, "expect_attach", "I", "clients")                                                           \
  X(CGROUP, 5, HOST, "cgroup", "S", "path")                                                                            \
  X(OOM_WATCH, 6, HOST, "oom_watch", "SI", "path version")                                                             \
  X(DEVICE_BPF, 7, HOST, "device_bpf", "SB", "path insns")                                                             \
  X(FORWARD, 8, HOST, "forward", "ISISI", "protocol address port target_address target_port")                          \
  X(JOIN, 9, HOST, "join", "IL", "pid start_time")                                                                     \
  X(OPEN, 10, HOST, "open", "IS", "slot path")                                                                         \
  X(CLONE, 11, HOST, "clone", "LS", "flags cgroup")                                                                    \
  X(WRITE_PID, 12, HOST, "write_pid", "S", "path")                                                                     \
  X(ID_MAP, 13, HOST, "id_map", "SSS", "uid_map gid_map setgroups")                                                    \
  X(WAIT_START, 14, CHILD, "wait_start", "", "")                                                                       \
  X(HOLD, 15, ANY, "hold", "", "")                                                                                     \
  X(HANDOVER, 16, HOST, "handover", "II", "flags preserve_fds")                                                        \
  X(CONSOLE_SOCKET, 17, HOST, "console_socket", "S", "path")                                                           \
  X(PAUSE, 18, HOST, "pause", "", "")                                                                                  \
  X(EXEC_FIFO, 19, HOST, "exec_fifo", "S", "path")                                                                     \
  X(PIDFD_SOCKET, 92, HOST, "pidfd_socket", "SS", "path name")                                                         \
  X(REMOVE_TREE, 93, HOST, "remove_tree", "S", "path")                                                                 \
  X(DIRECTORY, 96, HOST, "directory", "SI", "path mode")                                                               \
  X(NET_DEVICE, 94, HOST, "net_device", "SS", "name new_name")                                                         \
  X(CHILD_TREE, 95, HOST, "child_tree", "ISII", "slot path flags users")                                               \
  X(RESOLVER, 97, HOST, "resolver", "I", "port")                                                                       \
  X(WRITE, 20, ANY, "write", "SB", "path data")                                                                        \
  X(NETLINK, 21, ANY, "netlink", "BII", "message pid_offset ignore")                                                   \
  X(UMOUNT, 22, ANY, "umount", "SI", "path flags")                                                                     \
  X(USER_NAMESPACE, 23, HOST, "user_namespace", "ISS", "slot uid_map gid_map")                                          \
  X(TREE, 24, HOST, "tree", "ISII", "slot path flags users")                                                           \
  X(OVERLAY_TREE, 25, HOST, "overlay_tree", "IISVSII", "slot users base mapped data uid gid")                         \
  X(CHILD_PROC, 26, HOST, "child_proc", "SB", "name data")                                                             \
  X(TREE_IN, 27, HOST, "tree_in", "IIS", "slot namespace path")                                                        \
  X(TIME_NAMESPACE, 28, HOST, "time_namespace", "S", "offsets")                                                        \
  X(CLONE_IN, 29, HOST, "clone_in", "IL", "slot type")                                                                 \
  X(ENTER, 30, CHILD, "enter", "L", "flags")                                                                           \
  X(SETNS, 31, CHILD, "setns", "IL", "slot type")                                                                      \
  X(UNSHARE, 32, CHILD, "unshare", "L", "flags")                                                                       \
  X(PROPAGATION, 33, CHILD, "propagation", "SL", "path flags")                                                         \
  X(OVERLAY, 34, CHILD, "overlay", "SSLS", "base target flags data")                                                   \
  X(BIND_ROOT, 35, CHILD, "bind_root", "SS", "source target")                                                          \
  X(ROOT, 36, CHILD, "root", "S", "path")                                                                              \
  X(MKDIR, 37, CHILD, "mkdir", "SIII", "path mode uid gid")                                                            \
  X(MOUNT, 38, CHILD, "mount", "SSSLS", "type source target flags data")                                               \
  X(BIND, 39, CHILD, "bind", "SSILLL", "source target flags attr clear propagation")                                   \
  X(SYMLINK, 40, CHILD, "symlink", "SS", "target path")                                                                \
  X(MKNOD, 41, CHILD, "mknod", "SIIIIII", "path type mode major minor uid gid")                                        \
  X(MASK, 42, CHILD, "mask", "S", "path")                                                                              \
  X(READONLY, 43, CHILD, "readonly", "S", "path")                                                                      \
  X(CONSOLE, 44, CHILD, "console", "", "")                                                                             \
  X(PIVOT_ROOT, 45, CHILD, "pivot_root", "", "")                                                                       \
  X(MOVE_ROOT, 46, CHILD, "move_root", "", "")                                                                         \
  X(READONLY_ROOT, 47, CHILD, "readonly_root", "", "")                                                                 \
  X(FILE, 48, CHILD, "file", "SBIII", "path data mode uid gid")                                                        \
  X(ATTACH, 49, CHILD, "attach", "ISILLL", "slot target flags attr clear propagation")                                 \
  X(COPY_UP, 50, CHILD, "copy_up", "SSLS", "source target flags data")                                                 \
  X(CHROOT, 51, CHILD, "chroot", "", "")                                                                               \
  X(FILE_LABEL, 52, CHILD, "file_label", "SS", "path value")                                                           \
  X(KEEP_NULL, 53, CHILD, "keep_null", "", "")                                                                         \
  X(SETHOSTNAME, 60, CHILD, "sethostname", "S", "name")                                                                \
  X(SETDOMAINNAME, 61, CHILD, "setdomainname", "S", "name")                                                            \
  X(SYSCTL, 62, CHILD, "sysctl", "SS", "key value")                                                                    \
  X(RLIMIT, 63, CHILD, "rlimit", "ILL", "resource soft hard")                                                          \
  X(OOM_SCORE_ADJ, 64, CHILD, "oom_score_adj", "S", "value")                                                           \
  X(SETSID, 65, CHILD, "setsid", "", "")                                                                               \
  X(UMASK, 66, CHILD, "umask", "I", "mask")                                                                            \
  X(KEYRING, 67, CHILD, "keyring", "S", "name")                                                                        \
  X(PERSONALITY, 68, CHILD, "personality", "L", "persona")                                                             \
  X(BOUNDING, 69, CHILD, "bounding", "L", "mask")                                                                      \
  X(USER, 70, CHILD, "user", "IIB", "uid gid groups")                                                                  \
  X(CAPABILITIES, 71, CHILD, "capabilities", "LLLL", "effective permitted inheritable ambient")                        \
  X(CHDIR, 72, CHILD, "chdir", "S", "path")                                                                            \
  X(NO_NEW_PRIVS, 73, CHILD, "no_new_privs", "", "")                                                                   \
  X(SECCOMP, 74, CHILD, "seccomp", "BI", "filter flags")                                                               \
  X(LABEL, 75, CHILD, "label", "SS", "name value")                                                                     \
  X(SCHED_ATTR, 77, CHILD, "sched_attr", "B", "attr")                                                                  \
  X(IO_PRIORITY, 78, CHILD, "io_priority", "I", "value")                                                               \
  X(GATE, 76, CHILD, "gate", "", "")                                                                                   \
  X(PROGRAM, 84, CHILD, "program", "S", "path")                                                                        \
  X(AFFINITY, 85, CHILD, "affinity", "B", "mask")                                                                      \
  X(SET_MEMPOLICY, 86, CHILD, "set_mempolicy", "IB", "mode nodes")                                                     \
  X(EXEC, 90, CHILD, "exec", "VV", "args env")                                                                         \
  X(RESTORE, 91, CHILD, "restore", "SVVB", "pid_file args env request")

#define X(id, code, side, name, kinds, fields) OP_##id = code,
enum op_code { OPS(X) };
#undef X

#define OP_FLAG_OPTIONAL 1u
#define OP_FLAG_BESIDE 2u

#define FRAMES(X)                                                                                                      \
  X(STARTED, 16)                                                                                                       \
  X(FAILED, 17)                                                                                                        \
  X(WARNING, 18)                                                                                                       \
  X(EXIT, 19)                                                                                                          \
  X(OOM, 20)                                                                                                           \
  X(DONE, 21)                                                                                                          \
  X(STATE, 22)                                                                                                         \
  X(RESULT, 23)                                                                                                        \
  X(READY, 24)                                                                                                         \
  X(LISTENING, 25)                                                                                                     \
  X(SIGNAL, 32)                                                                                                        \
  X(RESIZE, 33)                                                                                                        \
  X(START, 34)                                                                                                         \
  X(ATTACH, 35)                                                                                                        \
  X(CLOSE_STDIN, 36)                                                                                                   \
  X(LOG_REOPEN, 37)                                                                                                    \
  X(FORWARD, 38)                                                                                                       \
  X(UNFORWARD, 39)                                                                                                     \
  X(RESOLVER, 40)

#define X(id, type) FRAME_##id = type,
enum frame_type { FRAMES(X) };
#undef X

enum { LOG_COMPRESS = 1, LOG_NONE = 2 };
enum { STDIO_STDIN = 1, STDIO_TTY = 2, STDIO_STDIN_ONCE = 4, STDIO_INHERIT = 8, STDIO_STARTER_OUT = 16, STDIO_STARTER_ERR = 32 };
enum { HANDOVER_FOREGROUND = 1 };
enum { BIND_RECURSIVE = 1, BIND_ATTR_RECURSIVE = 2, BIND_NO_CREATE = 4, BIND_SOURCE_IN_ROOT = 8, BIND_SPREAD_RECURSIVE = 16,
       BIND_CLEAR_REST = 32, BIND_LOCKED = 64, BIND_SOURCE_BELOW_TARGET = 128 };
#define SLOTS 256u /* descriptors that the host opens for the child */
#define NO_SLOT 0xffffffffu
enum { ATTACH_STDIN = 1, ATTACH_STDOUT = 2, ATTACH_STDERR = 4 };

#endif
