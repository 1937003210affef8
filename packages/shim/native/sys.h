/* System calls newer than the oldest libc we build with (glibc 2.31), and their structures from the kernel's ABI. */
#ifndef SYS_H
#define SYS_H

#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC 02000000 /* O_CLOEXEC */
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#define MOVE_MOUNT_T_EMPTY_PATH 0x00000040
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define ATTR_RDONLY 0x00000001ull /* MOUNT_ATTR_RDONLY */
#define ATTR_IDMAP 0x00100000ull  /* MOUNT_ATTR_IDMAP, Linux 5.12 */
#define ATTR_LOCKABLE 0x0000000full /* RDONLY, NOSUID, NODEV, NOEXEC */
#define ATTR_NOATIME 0x00000010ull
#define ATTR_STRICTATIME 0x00000020ull
#define ATTR_NODIRATIME 0x00000080ull
#define ATTR_NOSYMFOLLOW 0x00200000ull
#define ATTR_ATIME 0x00000070ull  /* MOUNT_ATTR__ATIME: an enumeration, cleared before one of it is set */

/* struct mount_attr of mount_setattr(2), Linux 5.12 */
struct mount_attributes {
  uint64_t set, clear, propagation, userns_fd;
};

static inline int sys_pidfd_open(pid_t pid) {
  return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline pid_t sys_clone3(struct clone_args *args) {
  return (pid_t)syscall(SYS_clone3, args, sizeof *args);
}

static inline int sys_openat2(int dir, const char *path, struct open_how *how) {
  return (int)syscall(SYS_openat2, dir, path, how, sizeof *how);
}

static inline int sys_open_tree(int dir, const char *path, unsigned flags) {
  return (int)syscall(SYS_open_tree, dir, path, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

/* Puts the detached tree on the place that `target` is open at. */
static inline int sys_move_mount(int tree, int target) {
  return (int)syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int sys_mount_setattr(int tree, unsigned flags, struct mount_attributes *attributes) {
  return (int)syscall(SYS_mount_setattr, tree, "", flags, attributes, sizeof *attributes);
}

#endif
