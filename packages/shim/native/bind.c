/* Binds: a detached copy of what is mounted at the source, with its flags changed, put in its place in the root. */
#include "rootfs.h"
#include "sys.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * What a symlink of a volume names may be outside of the volume: /proc, without what hides parts of it. Also the
 * target, if it is in another volume, may lead to something else than when the volume was put there.
 */
static int open_below(const struct shim *s, const char *target, const char *path) {
  scoped_fd top = open_in_root(s, target, O_PATH, 0);
  int fd = top < 0 ? -1 : open_beneath(top, path, O_PATH);
  struct statfs fs;
  if (fd < 0 || fstatfs(fd, &fs) < 0)
    return fd;
  if (fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC)
    return fd;
  close(fd);
  errno = EXDEV;
  return -1;
}

/* A detached copy of what is mounted at the source of a bind, or -1 with errno. */
static int open_source(const struct shim *s, const char *path, const char *target, uint32_t flags) {
  unsigned how = flags & BIND_RECURSIVE ? AT_RECURSIVE : 0;
  if (!(flags & (BIND_SOURCE_IN_ROOT | BIND_SOURCE_BELOW_TARGET)))
    return sys_open_tree(AT_FDCWD, path, how);
  scoped_fd source = flags & BIND_SOURCE_IN_ROOT ? open_in_root(s, path, O_PATH, 0) : open_below(s, target, path);
  return source < 0 ? -1 : sys_open_tree(source, "", how | AT_EMPTY_PATH);
}

/* The attributes of a mount, as statfs(2) tells them. */
static int read_attributes(int tree, uint64_t *now) {
  struct statvfs fs;
  if (fstatvfs(tree, &fs) < 0)
    return errno;
  bool is_strict = !(fs.f_flag & (ST_NOATIME | ST_RELATIME));
  *now = (fs.f_flag & ATTR_LOCKABLE) | (fs.f_flag & ST_NODIRATIME ? ATTR_NODIRATIME : 0) |
         (fs.f_flag & ST_NOATIME ? ATTR_NOATIME
          : is_strict            ? ATTR_STRICTATIME
                                 : 0);
  return 0;
}

/*
 * What the kernel lets the root of a user namespace change of a mount that came from outside: nothing is taken away.
 * What was asked for is refused, the rest stays as it is. can_change_locked_flags() in fs/namespace.c, and runc's way
 * with it
 */
static int keep_locked(struct shim *s, int tree, struct mount_attributes *a, uint64_t asked) {
  uint64_t now = 0, atime = ATTR_ATIME | ATTR_NODIRATIME;
  s->step = "statfs";
  int error = read_attributes(tree, &now);
  if (error)
    return error;
  s->step = "locked by the source";
  if (asked & now & ATTR_LOCKABLE || (a->clear & ATTR_ATIME && (a->set ^ now) & atime))
    return EPERM;
  a->set &= ~atime;
  a->clear &= ~(ATTR_LOCKABLE | atime);
  s->step = "mount_setattr";
  return 0;
}

static int change_attributes(struct shim *s, int tree, unsigned below, uint32_t flags, struct mount_attributes a) {
  uint64_t asked = a.clear;
  if (flags & BIND_CLEAR_REST)
    a.clear |= (ATTR_LOCKABLE | ATTR_NOSYMFOLLOW) & ~a.set;
  if (a.set & ATTR_ATIME)
    a.clear |= ATTR_ATIME;
  bool is_locked = flags & BIND_LOCKED;
  for (;;) {
    int error = is_locked ? keep_locked(s, tree, &a, asked) : 0;
    s->step = error ? s->step : "mount_setattr";
    if (error || !(a.set || a.clear || a.propagation))
      return error;
    if (sys_mount_setattr(tree, AT_EMPTY_PATH | below, &a) == 0)
      return 0;
    /* A source that is locked, without our having said so: we are in a user namespace ourselves. */
    if (errno != EPERM || is_locked)
      return errno;
    is_locked = true;
  }
}

/* `propagation` may be for the whole tree where the attributes are for its top. */
static int set_attributes(struct shim *s, int tree, uint32_t flags, struct mount_attributes a) {
  struct mount_attributes spread = {.propagation = a.propagation};
  unsigned below = flags & BIND_ATTR_RECURSIVE ? AT_RECURSIVE : 0u;
  unsigned spread_below = flags & (BIND_ATTR_RECURSIVE | BIND_SPREAD_RECURSIVE) ? AT_RECURSIVE : 0u;
  if (below == spread_below)
    spread.propagation = 0;
  else
    a.propagation = 0;
  int error = change_attributes(s, tree, below, flags, a);
  if (error || !spread.propagation)
    return error;
  return sys_mount_setattr(tree, AT_EMPTY_PATH | spread_below, &spread) < 0 ? errno : 0;
}

static struct mount_attributes attributes_of(const struct op *o) {
  return (struct mount_attributes){.set = op_u64(o, 3), .clear = op_u64(o, 4), .propagation = op_u64(o, 5)};
}

/* move_mount(2) would say EINVAL of a file on a directory; callers look for mount(2)'s ENOTDIR. */
static int put_tree(struct shim *s, int tree, const struct stat *source, const char *path, int target) {
  struct stat st;
  int error = refuse_hidden_proc(s, path, target);
  if (error)
    return error;
  s->step = "move_mount";
  if (fstat(target, &st) < 0)
    return errno;
  if (S_ISDIR(st.st_mode) != S_ISDIR(source->st_mode))
    return ENOTDIR;
  return sys_move_mount(tree, target) < 0 ? errno : 0;
}

int op_bind(struct shim *s, const struct op *o) {
  uint32_t flags = op_u32(o, 2);
  struct stat st;
  scoped_fd target = -1;
  s->step = "open_tree";
  scoped_fd tree = open_source(s, op_str(o, 0), op_str(o, 1), flags);
  if (tree < 0 || fstat(tree, &st) < 0)
    return errno;
  int error = set_attributes(s, tree, flags, attributes_of(o));
  if (error)
    return error;
  if (S_ISDIR(st.st_mode) && !(flags & BIND_NO_CREATE)) {
    bool made;
    error = ensure_target(s, op_str(o, 1), 0, &target, &made);
    return error ? error : put_tree(s, tree, &st, op_str(o, 1), target);
  }
  leave_place(s);
  s->step = "make target";
  if (flags & BIND_NO_CREATE) {
    target = open_in_root(s, op_str(o, 1), O_PATH, 0);
    error = target < 0 ? errno : 0;
  } else {
    struct making m = {.mode = 0755};
    error = ensure(s, op_str(o, 1), false, &m, &target);
  }
  return error ? error : put_tree(s, tree, &st, op_str(o, 1), target);
}

/* Puts a tree of the host side in its place; without a target it becomes the root, on top of the old one. */
int op_attach(struct shim *s, const struct op *o) {
  uint32_t flags = op_u32(o, 2);
  int *tree = &s->slots[op_u32(o, 0)];
  struct stat st;
  scoped_fd target = -1;
  s->step = "tree";
  if (*tree < 0)
    return EBADF;
  if (fstat(*tree, &st) < 0)
    return errno;
  int error = set_attributes(s, *tree, flags, attributes_of(o));
  if (error)
    return error;
  if (*op_str(o, 1)) {
    struct making m = {.mode = 0755};
    s->step = "make target";
    error = ensure(s, op_str(o, 1), S_ISDIR(st.st_mode), &m, &target);
  } else {
    s->step = "open /";
    target = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    error = target < 0 ? errno : 0;
  }
  if (!error)
    error = put_tree(s, *tree, &st, op_str(o, 1), target);
  if (error)
    return error;
  if (*op_str(o, 1)) {
    close_fd(tree);
    return 0;
  }
  close_fd(&s->root);
  s->root = *tree;
  *tree = -1;
  return 0;
}
