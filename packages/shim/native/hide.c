/* Paths of the container that it may not see, or not write to. */
#include "rootfs.h"
#include "sys.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static bool is_null(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/*
 * EPERM for what a symlink leads to in /proc: the program says which of its files may be covered, by their names, and
 * cannot know of links in volumes. The same file on a way without links is what was named.
 */
int refuse_hidden_proc(struct shim *s, const char *path, int target) {
  struct statfs fs;
  struct stat led, named;
  if (fstatfs(target, &fs) < 0)
    return errno;
  if (fs.f_type != PROC_SUPER_MAGIC || strncmp(path, "/proc/", 6) == 0)
    return 0;
  scoped_fd direct = open_in_root(s, path, O_PATH, RESOLVE_NO_SYMLINKS);
  if (direct >= 0 && fstat(target, &led) == 0 && fstat(direct, &named) == 0 && led.st_dev == named.st_dev &&
      led.st_ino == named.st_ino)
    return 0;
  s->step = "inside /proc";
  return EPERM;
}

/*
 * The host's, before the change of root: for a /dev that is somebody's directory, whose `null` may be anything or
 * missing. Read-only, as its mode and owner are everybody's.
 */
int op_keep_null(struct shim *s) {
  struct mount_attributes a = {.set = ATTR_RDONLY};
  s->step = "open_tree /dev/null";
  scoped_fd null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (null < 0)
    return errno;
  if (!is_null(null))
    return ENODEV;
  s->null = sys_open_tree(null, "", AT_EMPTY_PATH);
  if (s->null < 0)
    return errno;
  s->step = "mount_setattr";
  return sys_mount_setattr(s->null, AT_EMPTY_PATH, &a) < 0 ? errno : 0;
}

/* The first mask is what was kept, the others are copies of it: the kernel before 6.15 copies no mount that is nowhere.
 */
static int mask_by_kept(struct shim *s, const char *path, int target) {
  scoped_fd tree = s->null;
  if (s->null_is_placed) {
    s->step = "open_tree";
    tree = sys_open_tree(s->null, "", AT_EMPTY_PATH);
    if (tree < 0)
      return errno;
  }
  s->step = "move_mount";
  if (sys_move_mount(tree, target) < 0)
    return errno;
  if (s->null_is_placed)
    return 0;
  s->null_is_placed = true;
  s->null = open_in_root(s, path, O_PATH, 0);
  return s->null < 0 ? errno : 0;
}

/* The container's /dev/null, if it is really that. */
static int clone_null(struct shim *s, int *tree) {
  s->step = "/dev/null";
  scoped_fd null = open_in_root(s, "/dev/null", O_PATH, 0);
  if (null < 0)
    return errno;
  if (!is_null(null))
    return ENODEV;
  *tree = sys_open_tree(null, "", AT_EMPTY_PATH);
  return *tree < 0 ? errno : 0;
}

static bool is_missing(int error) {
  return error == ENOENT || error == ENOTDIR;
}

/*
 * One empty tmpfs is enough for all masked directories: a superblock costs more than a bind. It is the first one's, as
 * the kernel before 6.15 copies no mount that is nowhere.
 */
static int mask_directory(struct shim *s, const char *path, int target) {
  if (s->empty >= 0) {
    s->step = "open_tree";
    scoped_fd tree = sys_open_tree(s->empty, "", AT_EMPTY_PATH);
    if (tree < 0)
      return errno;
    s->step = "move_mount";
    return sys_move_mount(tree, target) < 0 ? errno : 0;
  }
  s->step = "mount";
  if (fchdir(target) < 0 || mount("tmpfs", ".", "tmpfs", MS_RDONLY, "nr_blocks=1,nr_inodes=1") < 0)
    return errno;
  s->empty = open_in_root(s, path, O_PATH | O_DIRECTORY, 0);
  return s->empty < 0 ? errno : 0;
}

int op_mask(struct shim *s, const struct op *o) {
  struct stat st;
  scoped_fd tree = -1;
  s->step = "open";
  scoped_fd target = open_in_root(s, op_str(o, 0), O_PATH, 0);
  if (target < 0 || fstat(target, &st) < 0)
    return is_missing(errno) ? 0 : errno;
  if (S_ISDIR(st.st_mode))
    return mask_directory(s, op_str(o, 0), target);
  if (s->null >= 0)
    return mask_by_kept(s, op_str(o, 0), target);
  int error = clone_null(s, &tree);
  if (error)
    return error;
  s->step = "move_mount";
  return sys_move_mount(tree, target) < 0 ? errno : 0;
}

int op_readonly(struct shim *s, const struct op *o) {
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
