/* Operations of the child that set up the process: namespaces, identity, limits. Each is one function. */
#include "shim.h"
#include "sys.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Joins the namespaces of the process of `join`, then its root: a process under chroot has another than its namespace.
 */
static int op_enter(struct shim *s, const struct op *o) {
  s->step = "setns";
  if (setns(s->join_pidfd, (int)op_u64(o, 0)) < 0)
    return errno;
  /* For its network alone we stay where we are: what is read-only for the container (sysctls) is not for us. */
  s->step = "chroot";
  if (op_u64(o, 0) != CLONE_NEWNET && (fchdir(s->join_root) < 0 || chroot(".") < 0))
    return errno;
  s->entered = true;
  s->step = "open root";
  close_fd(&s->root);
  s->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (s->root < 0)
    return errno;
  if (op_u64(o, 0) & CLONE_NEWUSER && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
    return errno;
  return 0;
}

/* Writes below /proc, and only there: an image may have put something else at the path. */
static int write_proc(struct shim *s, const char *path, const void *data, size_t length) {
  struct statfs fs;
  s->step = "open";
  scoped_fd fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0)
    return errno;
  s->step = "not in /proc";
  if (fstatfs(fd, &fs) < 0)
    return errno;
  if (fs.f_type != PROC_SUPER_MAGIC)
    return EXDEV;
  s->step = "write";
  return write(fd, data, length) == (ssize_t)length ? 0 : errno;
}

/* sysctl.d(5): dots separate, slashes stand for dots, unless a slash comes first. */
static int op_sysctl(struct shim *s, const struct op *o) {
  char path[512];
  const char *key = op_str(o, 0);
  bool slashes = key[strcspn(key, "./")] == '/';
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/sys/");
  for (const char *p = key; *p; p++) {
    char c = slashes ? *p : *p == '.' ? '/' : *p == '/' ? '.' : *p;
    text_bytes(&t, &c, 1);
  }
  s->step = "key";
  if (t.overflow || path_is_dotted(path))
    return EINVAL;
  return write_proc(s, path, o->f[1].bytes, o->f[1].number);
}

static int op_label(struct shim *s, const struct op *o) {
  char path[128];
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/thread-self/attr/");
  text_str(&t, op_str(o, 0));
  s->step = "name";
  return t.overflow ? EINVAL : write_proc(s, path, o->f[1].bytes, o->f[1].number);
}

static int op_setsid(struct shim *s) {
  s->step = "setsid";
  if (setsid() < 0)
    return errno;
  s->step = "TIOCSCTTY";
  return s->pty_slave >= 0 && ioctl(s->pty_slave, TIOCSCTTY, 0) < 0 ? errno : 0;
}

static int op_bounding(struct shim *s, const struct op *o) {
  s->step = "PR_CAPBSET_DROP";
  for (unsigned long cap = 0; cap < 64; cap++) {
    if (op_u64(o, 0) >> cap & 1 || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
      continue;
    int held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
    if (held < 0)
      return 0; /* beyond the kernel's last capability */
    if (held)
      return EPERM;
  }
  return 0;
}

static int op_user(struct shim *s, const struct op *o) {
  size_t count = o->f[2].number / 4;
  gid_t *groups = (gid_t *)(void *)s->scratch;
  s->step = "setgroups";
  if (count > sizeof s->scratch / sizeof groups[0])
    return EINVAL;
  for (size_t i = 0; i < count; i++)
    groups[i] = get32(o->f[2].bytes + 4 * i);
  /* A user namespace may forbid setgroups(2); that is no loss where there is nothing to set or drop. */
  if (setgroups(count, groups) < 0 && (count || getgroups(0, NULL)))
    return errno;
  s->step = "PR_SET_KEEPCAPS";
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
    return errno;
  s->step = "setresgid";
  if (setresgid(op_u32(o, 1), op_u32(o, 1), op_u32(o, 1)) < 0)
    return errno;
  s->step = "setresuid";
  return setresuid(op_u32(o, 0), op_u32(o, 0), op_u32(o, 0)) < 0 ? errno : 0;
}

static int op_capabilities(struct shim *s, const struct op *o) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++)
    data[i] = (struct __user_cap_data_struct){.effective = (uint32_t)(op_u64(o, 0) >> (32 * i)),
                                              .permitted = (uint32_t)(op_u64(o, 1) >> (32 * i)),
                                              .inheritable = (uint32_t)(op_u64(o, 2) >> (32 * i))};
  s->step = "capset";
  if (syscall(SYS_capset, &header, data) < 0)
    return errno;
  s->step = "PR_CAP_AMBIENT";
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
    return op_u64(o, 3) ? errno : 0;
  for (unsigned long cap = 0; cap < 64; cap++)
    if (op_u64(o, 3) >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
      return errno;
  return 0;
}

/* A directory outside the root shows as "(unreachable)/…" in the raw system call (CVE-2024-21626). */
static int op_chdir(struct shim *s, const struct op *o) {
  s->step = "chdir";
  if (chdir(op_str(o, 0)) < 0)
    return errno;
  s->step = "outside the root";
  long n = syscall(SYS_getcwd, s->scratch, sizeof s->scratch);
  if (n < 0)
    return errno;
  return s->scratch[0] == '/' ? 0 : EXDEV;
}

static int op_seccomp(struct shim *s, const struct op *o) {
  struct sock_fprog filter = {.len = (uint16_t)(o->f[0].number / 8), .filter = (void *)(uintptr_t)o->f[0].bytes};
  const struct op *next = o + 1; /* exec or restore comes behind, so there is one */
  /* What exec needs may be forbidden by the filter, as far as it can be done before. */
  if (next->code == OP_EXEC) {
    int error = prepare_exec(s, next);
    if (error) {
      s->step = "";
      return 0; /* exec meets the same error and reports it as its own */
    }
  }
  s->step = "seccomp";
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op_u32(o, 1), &filter) < 0 ? errno : 0;
}

static int op_keyring(struct shim *s, const struct op *o) {
  s->step = "keyctl";
  return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, op_str(o, 0)) < 0 ? errno : 0;
}

static int op_rlimit(struct shim *s, const struct op *o) {
  struct rlimit limit = {.rlim_cur = op_u64(o, 1), .rlim_max = op_u64(o, 2)};
  s->step = "prlimit";
  return syscall(SYS_prlimit64, 0, op_u32(o, 0), &limit, NULL) < 0 ? errno : 0;
}

static int op_sched_attr(struct shim *s, const struct op *o) {
  s->step = "sched_setattr";
  return syscall(SYS_sched_setattr, 0, o->f[0].bytes, 0) < 0 ? errno : 0;
}

/* ioprio_set(2): 1 is IOPRIO_WHO_PROCESS, 0 ourselves. */
static int op_io_priority(struct shim *s, const struct op *o) {
  s->step = "ioprio_set";
  return syscall(SYS_ioprio_set, 1, 0, op_u32(o, 0)) < 0 ? errno : 0;
}

/* set_mempolicy(2): the last bit of `maxnode` is not looked at. */
static int op_set_mempolicy(const struct op *o) {
  size_t size = o->f[1].number;
  return syscall(SYS_set_mempolicy, (long)op_u32(o, 0), size ? o->f[1].bytes : NULL, size ? size * 8 + 1 : 0) < 0 ? errno : 0;
}

static int errno_of(long result) {
  return result < 0 ? errno : 0;
}

#define CPUS_BYTES 1024 /* NR_CPUS is 8192 at most; the kernel cuts off what it has not */

static int op_affinity(struct shim *s, const struct op *o) {
  uint8_t *mask = s->scratch;
  size_t size = o->f[0].number < CPUS_BYTES ? o->f[0].number : CPUS_BYTES;
  memset(mask, size ? 0 : 0xff, CPUS_BYTES);
  memcpy(mask, o->f[0].bytes, size);
  return sched_setaffinity(0, CPUS_BYTES, (const cpu_set_t *)(const void *)mask) < 0 ? errno : 0;
}

int child_op(struct shim *s, const struct op *o) {
  switch (o->code) {
  case OP_ENTER:
    return op_enter(s, o);
  case OP_SETNS:
    return errno_of(setns(s->slots[op_u32(o, 0)], (int)op_u64(o, 1)));
  case OP_UNSHARE:
    return errno_of(unshare((int)op_u64(o, 0)));
  case OP_SETHOSTNAME:
    return errno_of(sethostname(op_str(o, 0), o->f[0].number));
  case OP_SETDOMAINNAME:
    return errno_of(setdomainname(op_str(o, 0), o->f[0].number));
  case OP_SYSCTL:
    return op_sysctl(s, o);
  case OP_RLIMIT:
    return op_rlimit(s, o);
  case OP_OOM_SCORE_ADJ:
    return write_proc(s, "/proc/self/oom_score_adj", o->f[0].bytes, o->f[0].number);
  case OP_SETSID:
    return op_setsid(s);
  case OP_UMASK:
    umask(op_u32(o, 0) & 0777);
    return 0;
  case OP_KEYRING:
    return op_keyring(s, o);
  case OP_PERSONALITY:
    return errno_of(personality(op_u64(o, 0)));
  case OP_PROGRAM:
    s->program_path = op_str(o, 0);
    return 0;
  case OP_AFFINITY:
    return op_affinity(s, o);
  case OP_BOUNDING:
    return op_bounding(s, o);
  case OP_USER:
    return op_user(s, o);
  case OP_CAPABILITIES:
    return op_capabilities(s, o);
  case OP_CHDIR:
    return op_chdir(s, o);
  case OP_NO_NEW_PRIVS:
    return errno_of(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  case OP_SECCOMP:
    return op_seccomp(s, o);
  case OP_LABEL:
    return op_label(s, o);
  case OP_SCHED_ATTR:
    return op_sched_attr(s, o);
  case OP_IO_PRIORITY:
    return op_io_priority(s, o);
  case OP_SET_MEMPOLICY:
    return op_set_mempolicy(o);
  case OP_CONSOLE:
    return op_console(s);
  case OP_EXEC:
    return op_exec(s, o);
  case OP_RESTORE:
    return op_restore(s, o);
  default:
    return rootfs_op(s, o);
  }
}
