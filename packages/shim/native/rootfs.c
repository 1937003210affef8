/*
 * The root filesystem. `In root` paths come from images and users: they are resolved by openat2(RESOLVE_IN_ROOT)
 * against the root's descriptor and used through descriptors only, so no symlink in an image leads out of it.
 */
#include "rootfs.h"
#include "sys.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define STEPS_MAX 256 /* components to make and symlinks to follow for one path; bounds the recursion */
#define RETRIES_MAX 32

static int open_resolved(int directory, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS | resolve};
  for (int i = 0;; i++) {
    int fd = sys_openat2(directory, path, &how);
    /* EAGAIN: a rename elsewhere raced with ".." (openat2(2)) */
    if (fd >= 0 || errno != EAGAIN || i == RETRIES_MAX)
      return fd;
  }
}

int open_in_root(const struct shim *s, const char *path, uint64_t flags, uint64_t resolve) {
  return open_resolved(s->root, *path ? path : "/", flags, RESOLVE_IN_ROOT | resolve);
}

int open_beneath(int directory, const char *path, uint64_t flags) {
  return open_resolved(directory, path, flags, RESOLVE_BENEATH);
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
int ensure(struct shim *s, const char *path, bool directory, struct making *m, int *out) {
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

/*
 * The directory that one operation has worked in stays open for the next: a program has dozens of nodes, links and
 * mounts in /dev and /sys/fs/cgroup. Whatever may change where the path leads lets go of it.
 */
void leave_place(struct shim *s) {
  close_fd(&s->place);
}

static bool is_at_place(const struct shim *s, const char *dir) {
  return s->place >= 0 && strcmp(dir, s->place_path) == 0;
}

/* Makes `dir` if it is missing. `fd` is the place's: not the caller's to close. */
static int enter_place(struct shim *s, const char *dir, int *fd) {
  struct making m = {.mode = 0755};
  if (!is_at_place(s, dir)) {
    leave_place(s);
    s->step = "make target";
    int error = ensure(s, dir, true, &m, &s->place);
    if (error)
      return error;
    strcpy(s->place_path, dir); /* `split` lets no longer one pass */
  }
  *fd = s->place;
  return 0;
}

/* The parent of a path, made if missing, and the last component's name. `parent` is the place's. */
static int ensure_parent(struct shim *s, const char *path, char last[NAME_MAX + 1], int *parent) {
  char dir[PATH_MAX];
  s->step = "parent";
  if (strlen(path) >= PATH_MAX || !split(path, dir, last))
    return ENAMETOOLONG;
  return enter_place(s, dir, parent);
}

/* Makes the directory in the place and opens it. EEXIST: something is there, whatever it is. */
static int make_in_place(struct shim *s, const char *last, int *out) {
  if (mkdirat(s->place, last, 0755) < 0)
    return errno;
  *out = openat(s->place, last, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return *out < 0 ? errno : 0;
}

/* A directory to mount on, opened (O_PATH) and made if missing. `made`: it was. */
int ensure_target(struct shim *s, const char *path, uint64_t resolve, int *out, bool *made) {
  char dir[PATH_MAX], last[NAME_MAX + 1];
  struct making m = {.mode = 0755};
  int parent, error = EEXIST;
  bool has_parent = strlen(path) < PATH_MAX && split(path, dir, last);
  s->step = "open target";
  *made = false;
  if (!has_parent || !is_at_place(s, dir))
    leave_place(s);
  else if (!resolve) /* most often it is missing, in a tmpfs of ours */
    error = make_in_place(s, last, out);
  if (error == EEXIST) {
    *out = open_in_root(s, path, O_PATH | O_DIRECTORY, resolve);
    if (*out >= 0 || errno != ENOENT)
      return *out >= 0 ? 0 : errno;
    error = has_parent ? enter_place(s, dir, &parent) : ENAMETOOLONG;
    if (!error)
      error = make_in_place(s, last, out);
    if (error == EEXIST) /* a symlink to something missing */
      error = ensure(s, path, true, &m, out);
  }
  *made = !error;
  return error;
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
  bool made;
  int error = ensure_target(s, target, is_kernel ? RESOLVE_NO_SYMLINKS : 0, place, &made);
  if (error)
    return error;
  error = made ? 0 : refuse_hidden_proc(s, target, *place);
  if (error)
    return error;
  if (!made && strcmp(type, "tmpfs") == 0)
    data = with_mode(s, *place, data);
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

static int op_symlink(struct shim *s, const struct op *o) {
  char last[NAME_MAX + 1];
  int parent;
  int error = ensure_parent(s, op_str(o, 1), last, &parent);
  if (error)
    return error;
  s->step = "symlinkat";
  return symlinkat(op_str(o, 0), parent, last) < 0 && errno != EEXIST ? errno : 0;
}

static int op_mknod(struct shim *s, const struct op *o) {
  char last[NAME_MAX + 1];
  int parent;
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
  int parent;
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

static int op_readonly_root(struct shim *s) {
  struct mount_attributes a = {.set = ATTR_RDONLY};
  s->step = "mount_setattr";
  return sys_mount_setattr(s->root, AT_EMPTY_PATH, &a) < 0 ? errno : 0;
}

/* The kernel keeps it for a filesystem whose policy lets labels be changed; others have that of their type. */
static int op_file_label(struct shim *s, const struct op *o) {
  s->step = "open";
  scoped_fd fd = open_in_root(s, op_str(o, 0), O_RDONLY, 0);
  if (fd < 0)
    return errno;
  s->step = "fsetxattr";
  bool failed = fsetxattr(fd, "security.selinux", op_str(o, 1), strlen(op_str(o, 1)) + 1, 0) < 0;
  return failed && errno != EOPNOTSUPP ? errno : 0;
}

/* Operations in a directory of the root, which themselves see to it that it is the same. */
static bool works_in_place(const struct op *o) {
  return o->code == OP_SYMLINK || o->code == OP_MKNOD || o->code == OP_FILE || o->code == OP_MOUNT ||
         o->code == OP_BIND;
}

int rootfs_op(struct shim *s, const struct op *o) {
  if (!works_in_place(o))
    leave_place(s);
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
  case OP_KEEP_NULL:
    return op_keep_null(s);
  case OP_MASK:
    return op_mask(s, o);
  case OP_READONLY:
    return op_readonly(s, o);
  case OP_PIVOT_ROOT:
    return op_pivot_root(s);
  case OP_FILE_LABEL:
    return op_file_label(s, o);
  case OP_CHROOT:
    return fchdir(s->root) < 0 || chroot(".") < 0 || chdir("/") < 0 ? errno : 0;
  case OP_MOVE_ROOT:
    return op_move_root(s);
  case OP_READONLY_ROOT:
    return op_readonly_root(s);
  default:
    return shared_op(s, o);
  }
}
