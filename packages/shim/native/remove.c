/*
 * Removes directory trees. What is in them is a container's: names are opened below their directory's descriptor and never
 * followed, and nothing is entered that somebody has mounted there (rmdir(2) of a mount point is EBUSY, not ENOTEMPTY).
 */
#include "shim.h"

#include <dirent.h>
#include <fcntl.h>

#define DEPTH_MAX 256 /* bounds the recursion: one level of stack and a descriptor each */
#define PASSES_MAX 8  /* over a directory that somebody else fills */

static int remove_entry(int parent, const char *name, bool may_be_file, int depth);

static int remove_content(int fd, int depth) {
  DIR *dir = fdopendir(fd);
  int error = dir ? 0 : errno;
  if (!dir) {
    close(fd);
    return error;
  }
  struct dirent *e;
  while (!error && (errno = 0, e = readdir(dir)))
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      error = remove_entry(dirfd(dir), e->d_name, e->d_type != DT_DIR, depth + 1);
  if (!error)
    error = errno;
  closedir(dir);
  return error;
}

static int remove_directory(int parent, const char *name, int depth) {
  for (int pass = 0; unlinkat(parent, name, AT_REMOVEDIR) < 0; pass++) {
    if (errno == ENOENT)
      return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
      return errno;
    if (depth == DEPTH_MAX || pass == PASSES_MAX)
      return depth == DEPTH_MAX ? ELOOP : ENOTEMPTY;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
      return errno;
    int error = fd < 0 ? 0 : remove_content(fd, depth);
    if (error)
      return error;
  }
  return 0;
}

static int remove_entry(int parent, const char *name, bool may_be_file, int depth) {
  if (may_be_file && (unlinkat(parent, name, 0) == 0 || errno == ENOENT))
    return 0;
  if (may_be_file && errno != EISDIR)
    return errno;
  return remove_directory(parent, name, depth);
}

int op_remove_tree(const char *path) {
  return remove_entry(AT_FDCWD, path, true, 0);
}
