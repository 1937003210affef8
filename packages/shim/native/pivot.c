/* The change of root, also from a root that is no mount point, and of its propagation. */
#include "rootfs.h"
#include "sys.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

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
int op_propagation(struct shim *s, const struct op *o) {
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
int op_pivot_root(struct shim *s) {
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

int op_move_root(struct shim *s) {
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
