/*
 * The root filesystem. `In root` paths come from images and users: they are resolved by openat2(RESOLVE_IN_ROOT)
 * against the root's descriptor and used through descriptors only, so no symlink in an image leads out of it.
 */
#include "shim.h"
#include "sys.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define STEPS_MAX 256 /* components to make and symlinks to follow for one path; bounds the recursion */
#define RETRIES_MAX 32

/* What a missing component becomes. */
struct making {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  int steps;
};

static int open_in_root(const struct shim *s, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve};
  for (int i = 0;; i++) {
    int fd = sys_openat2(s->root, *path ? path : "/", &how);
    /* EAGAIN: a rename elsewhere raced with ".." (openat2(2)) */
    if (fd >= 0 || errno != EAGAIN || i == RETRIES_MAX)
      return fd;
  }
}

/* Splits at the last component. False if there is none. */
static bool split(const char *path, char parent[PATH_MAX], char last[NAME_MAX + 1]) {
  size_t n = strlen(path);
  while (n && path[n - 1] == '/')
    n--;
  size_t end = n;
  while (n && path[n - 1] != '/')
    n--;
  if (end == n || end - n > NAME_MAX || n >= PATH_MAX)
    return false;
  memcpy(last, path + n, end - n);
  last[end - n] = 0;
  memcpy(parent, path, n);
  parent[n] = 0;
  return true;
}

static int ensure(struct shim *s, const char *path, bool directory, struct making *m, int *out);

/* The last component is a symlink to something missing: make that, inside the root. */
static int ensure_link_target(struct shim *s, int parent, const char *dir, const char *last, bool directory,
                              struct making *m, int *out) {
  char target[PATH_MAX], path[PATH_MAX];
  ssize_t n = readlinkat(parent, last, target, sizeof target);
  if (n < 0)
    return errno == EINVAL ? (directory ? ENOTDIR : EISDIR) : errno;
  struct text t = text_in(path, sizeof path);
  if (target[0] != '/')
    text_str(&t, dir);
  text_bytes(&t, target, (size_t)n);
  return t.overflow ? ENAMETOOLONG : ensure(s, path, directory, m, out);
}

/* Opens (O_PATH) a file or directory in the root; what is missing is made, component by component. */
static int ensure(struct shim *s, const char *path, bool directory, struct making *m, int *out) {
  char dir[PATH_MAX], last[NAME_MAX + 1];
  *out = open_in_root(s, path, O_PATH | (directory ? O_DIRECTORY : 0), 0);
  if (*out >= 0 || errno != ENOENT)
    return *out >= 0 ? 0 : errno;
  if (m->steps++ == STEPS_MAX)
    return ELOOP;
  if (strlen(path) >= PATH_MAX || !split(path, dir, last))
    return ENAMETOOLONG;
  scoped_fd parent = -1;
  int error = ensure(s, dir, true, m, &parent);
  if (error)
    return error;
  if (directory) {
    if (mkdirat(parent, last, m->mode) < 0)
      return errno == EEXIST ? ensure_link_target(s, parent, dir, last, true, m, out) : errno;
    *out = openat(parent, last, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  } else {
    scoped_fd made = openat(parent, last, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (made < 0)
      return errno == EEXIST ? ensure_link_target(s, parent, dir, last, false, m, out) : errno;
    *out = openat(parent, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  }
  if (*out < 0)
    return errno;
  if ((m->uid || m->gid) && fchownat(*out, "", m->uid, m->gid, AT_EMPTY_PATH) < 0)
    return errno;
  return 0;
}

static int ensure_dir(struct shim *s, const char *path, int *out) {
  struct making m = {.mode = 0755};
  s->step = "make target";
  return ensure(s, path, true, &m, out);
}

/* The parent of a path, made if missing, and the last component's name. */
static int ensure_parent(struct shim *s, const char *path, char last[NAME_MAX + 1], int *parent) {
  char dir[PATH_MAX];
  s->step = "parent";
  if (strlen(path) >= PATH_MAX || !split(path, dir, last))
    return ENAMETOOLONG;
  return ensure_dir(s, dir, parent);
}

static int op_mkdir(struct shim *s, const struct op *o) {
  struct making m = {.mode = op_u32(o, 1), .uid = op_u32(o, 2), .gid = op_u32(o, 3)};
  scoped_fd fd = -1;
  return ensure(s, op_str(o, 0), true, &m, &fd);
}

/* A tmpfs over a directory that was there keeps its mode, unless the data names one; runc does the same. */
static const char *with_mode(struct shim *s, int target, const char *data) {
  struct stat st;
  if (strncmp(data, "mode=", 5) == 0 || strstr(data, ",mode=") || fstat(target, &st) < 0)
    return data;
  char octal[] = "mode=0000";
  for (int i = 0; i < 4; i++)
    octal[5 + i] = (char)('0' + (st.st_mode >> (9 - 3 * i) & 7));
  struct text t = text_in((char *)s->scratch, sizeof s->scratch);
  text_str(&t, octal);
  text_str(&t, *data ? "," : "");
  text_str(&t, data);
  return t.overflow ? data : (char *)s->scratch;
}

/* Attached at the current directory, so that no path is walked twice. `*place`: the directory that was there. */
static int mount_in_root(struct shim *s, const char *type, const char *source, const char *target, uint64_t flags,
                         const char *data, int *place) {
  /* A procfs behind a symlink would be writable by the image's choice of place; runc refuses as well. */
  bool is_kernel = strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0;
  int error = 0;
  s->step = "open target";
  *place = open_in_root(s, target, O_PATH | O_DIRECTORY, is_kernel ? RESOLVE_NO_SYMLINKS : 0);
  if (*place < 0 && errno == ENOENT)
    error = ensure_dir(s, target, place);
  else if (*place < 0)
    error = errno;
  else if (strcmp(type, "tmpfs") == 0)
    data = with_mode(s, *place, data);
  if (error)
    return error;
  s->step = "mount";
  if (fchdir(*place) < 0)
    return errno;
  return mount(source, ".", type, flags, *data ? data : NULL) < 0 ? errno : 0;
}

static int op_mount(struct shim *s, const struct op *o) {
  scoped_fd place = -1;
  return mount_in_root(s, op_str(o, 0), op_str(o, 1), op_str(o, 2), op_u64(o, 3), op_str(o, 4), &place);
}

/* Read-only only when the copy is there. */
static int op_copy_up(struct shim *s, const struct op *o) {
  const char *target = op_str(o, 1);
  uint64_t flags = op_u64(o, 2);
  struct mount_attributes a = {.set = ATTR_RDONLY};
  scoped_fd below = -1;
  int error = mount_in_root(s, "tmpfs", op_str(o, 0), target, flags & ~(uint64_t)MS_RDONLY, op_str(o, 3), &below);
  if (error)
    return error;
  s->step = "open the tmpfs";
  scoped_fd fresh = open_in_root(s, target, O_RDONLY | O_DIRECTORY, 0);
  if (fresh < 0)
    return errno;
  error = copy_tree(s, below, fresh);
  if (error || !(flags & MS_RDONLY))
    return error;
  s->step = "mount_setattr";
  return sys_mount_setattr(fresh, AT_EMPTY_PATH, &a) < 0 ? errno : 0;
}

/* A detached copy of what is mounted at the source of a bind, or -1 with errno. */
static int open_source(const struct shim *s, const char *path, uint32_t flags) {
  unsigned how = flags & BIND_RECURSIVE ? AT_RECURSIVE : 0;
  if (!(flags & BIND_SOURCE_IN_ROOT))
    return sys_open_tree(AT_FDCWD, path, how);
  scoped_fd source = open_in_root(s, path, O_PATH, 0);
  return source < 0 ? -1 : sys_open_tree(source, "", how | AT_EMPTY_PATH);
}

/* The attributes of a mount, as statfs(2) tells them. */
static int read_attributes(int tree, uint64_t *now) {
  struct statvfs fs;
  if (fstatvfs(tree, &fs) < 0)
    return errno;
  bool is_strict = !(fs.f_flag & (ST_NOATIME | ST_RELATIME));
  *now = (fs.f_flag & ATTR_LOCKABLE) | (fs.f_flag & ST_NODIRATIME ? ATTR_NODIRATIME : 0) |
         (fs.f_flag & ST_NOATIME ? ATTR_NOATIME : is_strict ? ATTR_STRICTATIME : 0);
  return 0;
}

/*
 * What the kernel lets the root of a user namespace change of a mount that came from outside: nothing is taken away. What
 * was asked for is refused, the rest stays as it is. can_change_locked_flags() in fs/namespace.c, and runc's way with it
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
static int put_tree(struct shim *s, int tree, const struct stat *source, int target) {
  struct stat st;
  s->step = "move_mount";
  if (fstat(target, &st) < 0)
    return errno;
  if (S_ISDIR(st.st_mode) != S_ISDIR(source->st_mode))
    return ENOTDIR;
  return sys_move_mount(tree, target) < 0 ? errno : 0;
}

static int op_bind(struct shim *s, const struct op *o) {
  uint32_t flags = op_u32(o, 2);
  struct stat st;
  scoped_fd target = -1;
  s->step = "open_tree";
  scoped_fd tree = open_source(s, op_str(o, 0), flags);
  if (tree < 0 || fstat(tree, &st) < 0)
    return errno;
  int error = set_attributes(s, tree, flags, attributes_of(o));
  if (error)
    return error;
  s->step = "make target";
  if (flags & BIND_NO_CREATE) {
    target = open_in_root(s, op_str(o, 1), O_PATH, 0);
    error = target < 0 ? errno : 0;
  } else {
    struct making m = {.mode = 0755};
    error = ensure(s, op_str(o, 1), S_ISDIR(st.st_mode), &m, &target);
  }
  return error ? error : put_tree(s, tree, &st, target);
}

/* Puts a tree of the host side in its place; without a target it becomes the root, on top of the old one. */
static int op_attach(struct shim *s, const struct op *o) {
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
    error = put_tree(s, *tree, &st, target);
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

static int op_symlink(struct shim *s, const struct op *o) {
  char last[NAME_MAX + 1];
  scoped_fd parent = -1;
  int error = ensure_parent(s, op_str(o, 1), last, &parent);
  if (error)
    return error;
  s->step = "symlinkat";
  return symlinkat(op_str(o, 0), parent, last) < 0 && errno != EEXIST ? errno : 0;
}

static int op_mknod(struct shim *s, const struct op *o) {
  char last[NAME_MAX + 1];
  scoped_fd parent = -1;
  int error = ensure_parent(s, op_str(o, 0), last, &parent);
  if (error)
    return error;
  s->step = "mknodat";
  mode_t mode = (op_u32(o, 1) & S_IFMT) | (op_u32(o, 2) & 07777);
  if (mknodat(parent, last, mode, makedev(op_u32(o, 3), op_u32(o, 4))) < 0)
    return errno == EEXIST ? 0 : errno;
  s->step = "chown";
  if ((op_u32(o, 5) || op_u32(o, 6)) && fchownat(parent, last, op_u32(o, 5), op_u32(o, 6), AT_SYMLINK_NOFOLLOW) < 0)
    return errno;
  return 0;
}

/* A new file: what is there already is not written to. */
static int op_file(struct shim *s, const struct op *o) {
  char last[NAME_MAX + 1];
  scoped_fd parent = -1;
  int error = ensure_parent(s, op_str(o, 0), last, &parent);
  if (error)
    return error;
  s->step = "create";
  scoped_fd file = openat(parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0)
    return errno;
  s->step = "write";
  const uint8_t *data = o->f[1].bytes;
  for (size_t done = 0, size = o->f[1].number; done < size;) {
    ssize_t n = write(file, data + done, size - done);
    if (n < 0 && errno != EINTR)
      return errno;
    done += n < 0 ? 0 : (size_t)n;
  }
  s->step = "chown";
  if (fchown(file, op_u32(o, 3), op_u32(o, 4)) < 0)
    return errno;
  s->step = "chmod";
  return fchmod(file, op_u32(o, 2) & 07777) < 0 ? errno : 0;
}

/* The container's /dev/null, if it is really that. */
static int clone_null(struct shim *s, int *tree) {
  struct stat st;
  s->step = "/dev/null";
  scoped_fd null = open_in_root(s, "/dev/null", O_PATH, 0);
  if (null < 0 || fstat(null, &st) < 0)
    return errno;
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
    return ENODEV;
  *tree = sys_open_tree(null, "", AT_EMPTY_PATH);
  return *tree < 0 ? errno : 0;
}

static bool is_missing(int error) {
  return error == ENOENT || error == ENOTDIR;
}

static int op_mask(struct shim *s, const struct op *o) {
  struct stat st;
  scoped_fd tree = -1;
  s->step = "open";
  scoped_fd target = open_in_root(s, op_str(o, 0), O_PATH, 0);
  if (target < 0 || fstat(target, &st) < 0)
    return is_missing(errno) ? 0 : errno;
  if (S_ISDIR(st.st_mode)) {
    s->step = "mount";
    if (fchdir(target) < 0)
      return errno;
    return mount("tmpfs", ".", "tmpfs", MS_RDONLY, NULL) < 0 ? errno : 0;
  }
  int error = clone_null(s, &tree);
  if (error)
    return error;
  s->step = "move_mount";
  return sys_move_mount(tree, target) < 0 ? errno : 0;
}

static int op_readonly(struct shim *s, const struct op *o) {
  struct mount_attributes a = {.set = ATTR_RDONLY};
  s->step = "open";
  scoped_fd target = open_in_root(s, op_str(o, 0), O_PATH, 0);
  if (target < 0)
    return is_missing(errno) ? 0 : errno;
  s->step = "open_tree";
  scoped_fd tree = sys_open_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
  if (tree < 0)
    return errno;
  s->step = "mount_setattr";
  if (sys_mount_setattr(tree, AT_EMPTY_PATH | AT_RECURSIVE, &a) < 0)
    return errno;
  s->step = "move_mount";
  return sys_move_mount(tree, target) < 0 ? errno : 0;
}

static int op_overlay(struct shim *s, const struct op *o) {
  const char *base = op_str(o, 0);
  s->step = "chdir";
  if (*base && chdir(base) < 0)
    return errno;
  s->step = "mount";
  return mount("overlay", op_str(o, 1), "overlay", op_u64(o, 2), op_str(o, 3)) < 0 ? errno : 0;
}

static int op_root(struct shim *s, const struct op *o) {
  close_fd(&s->root);
  s->root = open(op_str(o, 0), O_PATH | O_DIRECTORY | O_CLOEXEC);
  return s->root < 0 ? errno : 0;
}

/*
 * Of a chroot(2) whose root is no mount point: nothing above it can be made private, and pivot_root(2) has nothing to
 * put aside. The child has a mount namespace of its own by then, so it goes to the root of that: ".." of a directory
 * that is not below the process's root leads on up to it. ENOTDIR if it was no chroot.
 */
static int leave_chroot(struct shim *s) {
  struct stat first, here, above;
  s->step = "leave the chroot";
  if (stat("/", &first) < 0 || chdir("/") < 0 || chroot("/proc") < 0)
    return errno;
  do {
    if (stat(".", &here) < 0 || chdir("..") < 0 || stat(".", &above) < 0)
      return errno;
  } while (here.st_dev != above.st_dev || here.st_ino != above.st_ino);
  if (chroot(".") < 0)
    return errno;
  return here.st_dev == first.st_dev && here.st_ino == first.st_ino ? ENOTDIR : 0;
}

/* What follows names paths inside the chroot: back into it. */
static int op_propagation(struct shim *s, const struct op *o) {
  const char *path = op_str(o, 0);
  if (mount(NULL, path, NULL, op_u64(o, 1), NULL) == 0)
    return 0;
  if (errno != EINVAL || strcmp(path, "/") != 0)
    return errno;
  scoped_fd inside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (inside < 0)
    return errno;
  int error = leave_chroot(s);
  if (error)
    return error == ENOTDIR ? EINVAL : error;
  if (mount(NULL, "/", NULL, op_u64(o, 1), NULL) < 0)
    return errno;
  return fchdir(inside) < 0 || chroot(".") < 0 ? errno : 0;
}

/* pivot_root(2), "pivot_root(".", ".")": the old root ends up above the new one and is detached. */
static int op_pivot_root(struct shim *s) {
  s->step = "is / a mount point";
  struct statx root;
  if (statx(AT_FDCWD, "/", AT_NO_AUTOMOUNT, 0, &root) == 0 && root.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT &&
      !(root.stx_attributes & STATX_ATTR_MOUNT_ROOT)) {
    int error = leave_chroot(s);
    if (error)
      return error;
  }
  s->step = "open /";
  scoped_fd old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0 || fchdir(s->root) < 0)
    return errno;
  s->step = "pivot_root";
  if (syscall(SYS_pivot_root, ".", ".") < 0)
    return errno;
  s->step = "detach the old root";
  if (fchdir(old) < 0 || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 || umount2(".", MNT_DETACH) < 0)
    return errno;
  return chdir("/") < 0 ? errno : 0;
}

/*
 * The old root stays below the new one. While its /proc and /sys are there, the kernel lets a user namespace mount bare
 * ones (mnt_already_visible(), fs/namespace.c): they go, or get something over them where they are locked.
 */
static int hide_kernel_mounts(int old) {
  static const char *const names[] = {"proc", "sys"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (fchdir(old) < 0)
      return errno;
    mount(NULL, names[i], NULL, MS_SLAVE | MS_REC, NULL);
    while (umount2(names[i], MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
      ;
    if (errno == EPERM && mount("tmpfs", names[i], "tmpfs", MS_RDONLY, NULL) < 0)
      return errno;
  }
  return 0;
}

static int op_move_root(struct shim *s) {
  s->step = "open /";
  scoped_fd old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0)
    return errno;
  s->step = "move";
  if (fchdir(s->root) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0)
    return errno;
  s->step = "hide /proc and /sys";
  int error = hide_kernel_mounts(old);
  if (error)
    return error;
  s->step = "chroot";
  return fchdir(s->root) < 0 || chroot(".") < 0 || chdir("/") < 0 ? errno : 0;
}

static int op_readonly_root(struct shim *s) {
  struct mount_attributes a = {.set = ATTR_RDONLY};
  s->step = "mount_setattr";
  return sys_mount_setattr(s->root, AT_EMPTY_PATH, &a) < 0 ? errno : 0;
}

int rootfs_op(struct shim *s, const struct op *o) {
  switch (o->code) {
  case OP_OVERLAY:
    return op_overlay(s, o);
  case OP_BIND_ROOT:
    return mount(op_str(o, 0), op_str(o, 1), NULL, MS_BIND | MS_REC, NULL) < 0 ? errno : 0;
  case OP_ROOT:
    return op_root(s, o);
  case OP_PROPAGATION:
    return op_propagation(s, o);
  case OP_MKDIR:
    return op_mkdir(s, o);
  case OP_MOUNT:
    return op_mount(s, o);
  case OP_COPY_UP:
    return op_copy_up(s, o);
  case OP_BIND:
    return op_bind(s, o);
  case OP_ATTACH:
    return op_attach(s, o);
  case OP_SYMLINK:
    return op_symlink(s, o);
  case OP_MKNOD:
    return op_mknod(s, o);
  case OP_FILE:
    return op_file(s, o);
  case OP_MASK:
    return op_mask(s, o);
  case OP_READONLY:
    return op_readonly(s, o);
  case OP_PIVOT_ROOT:
    return op_pivot_root(s);
  case OP_MOVE_ROOT:
    return op_move_root(s);
  case OP_READONLY_ROOT:
    return op_readonly_root(s);
  default:
    return shared_op(s, o);
  }
}
