/*
 * A copy of a directory's content, for a tmpfs that is to begin with what the image has there. The image is hostile: every
 * name is opened below its directory's descriptor and never followed. Sockets are left out; they are nobody's any more.
 */
#include "shim.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define DEPTH_MAX 512 /* bounds the recursion: one level of stack and two descriptors each */
#define CHUNK (1u << 30)

static int copy_file(int from, const char *name, int to, const struct stat *st) {
  scoped_fd in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  scoped_fd out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (in < 0 || out < 0)
    return errno;
  ssize_t n;
  do
    n = sendfile(out, in, NULL, CHUNK);
  while (n > 0 || (n < 0 && errno == EINTR));
  if (n < 0 || fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
    return errno;
  struct timespec times[2] = {st->st_atim, st->st_mtim};
  return futimens(out, times) < 0 ? errno : 0;
}

static int copy_link(int from, const char *name, int to, const struct stat *st) {
  char target[PATH_MAX];
  ssize_t n = readlinkat(from, name, target, sizeof target - 1);
  if (n < 0)
    return errno;
  target[n] = 0;
  if (symlinkat(target, to, name) < 0)
    return errno;
  return fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
}

/* Devices cannot be made in a user namespace: they are left out there. */
static int copy_node(const char *name, int to, const struct stat *st) {
  if (mknodat(to, name, st->st_mode, st->st_rdev) < 0)
    return errno == EPERM ? 0 : errno;
  if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    return errno;
  return fchmodat(to, name, st->st_mode & 07777, 0) < 0 ? errno : 0;
}

static int copy_content(int from, int to, int depth);

static int copy_dir(int from, const char *name, int to, const struct stat *st, int depth) {
  if (depth == DEPTH_MAX)
    return ELOOP;
  if (mkdirat(to, name, 0700) < 0)
    return errno;
  scoped_fd in = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  scoped_fd out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (in < 0 || out < 0)
    return errno;
  int error = copy_content(in, out, depth + 1);
  if (error)
    return error;
  struct timespec times[2] = {st->st_atim, st->st_mtim};
  return fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0 || futimens(out, times) < 0
             ? errno
             : 0;
}

static int copy_entry(int from, const char *name, int to, int depth) {
  struct stat st;
  if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno;
  switch (st.st_mode & S_IFMT) {
  case S_IFDIR:
    return copy_dir(from, name, to, &st, depth);
  case S_IFREG:
    return copy_file(from, name, to, &st);
  case S_IFLNK:
    return copy_link(from, name, to, &st);
  case S_IFSOCK:
    return 0;
  default:
    return copy_node(name, to, &st);
  }
}

static int copy_content(int from, int to, int depth) {
  int own = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = own < 0 ? NULL : fdopendir(own);
  if (!dir) {
    int error = errno;
    close_fd(&own);
    return error;
  }
  int error = 0;
  for (const struct dirent *e; !error && (e = readdir(dir));)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      error = copy_entry(from, e->d_name, to, depth);
  closedir(dir);
  return error;
}

/* The two directories themselves keep their owner; the mode is the mount's. */
int copy_tree(struct shim *s, int from, int to) {
  struct stat st;
  s->step = "copy";
  if (fstat(from, &st) < 0 || fchown(to, st.st_uid, st.st_gid) < 0)
    return errno;
  return copy_content(from, to, 0);
}
