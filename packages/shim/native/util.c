#include "util.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

int write_all(int fd, const void *data, size_t length) {
  const char *p = data;
  while (length) {
    ssize_t n = write(fd, p, length);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n < 0 ? errno : EIO;
    p += n;
    length -= (size_t)n;
  }
  return 0;
}

/* Reads a small file as text, cut at size - 1. */
int read_text(int dir, const char *path, char *buffer, size_t size) {
  scoped_fd fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return errno;
  size_t used = 0;
  while (used < size - 1) {
    ssize_t n = read(fd, buffer + used, size - 1 - used);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno;
    if (n == 0)
      break;
    used += (size_t)n;
  }
  buffer[used] = 0;
  return 0;
}

int write_file(const char *path, const void *data, size_t length) {
  scoped_fd fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  return fd < 0 ? errno : write_once(fd, data, length);
}

/* The kernel's files take what is meant as one by one write(2). */
int write_once(int fd, const void *data, size_t length) {
  ssize_t n = write(fd, data, length);
  if (n < 0)
    return errno;
  return (size_t)n == length ? 0 : EIO;
}

int read_start_time(pid_t pid, uint64_t *start_time) {
  char path[32], stat[1024];
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_number(&t, (uint64_t)pid);
  text_str(&t, "/stat");
  int error = read_text(AT_FDCWD, path, stat, sizeof stat);
  if (error)
    return error;
  /* Field 2, the name, may hold anything, parentheses too: count from the last one. */
  const char *p = strrchr(stat, ')');
  for (int field = 2; p && field < 22; field++) {
    p = strchr(p, ' ');
    p = p ? p + 1 : NULL;
  }
  if (!p)
    return EPROTO;
  *start_time = strtoull(p, NULL, 10);
  return 0;
}

/* Zeroed pages, outside malloc's heap so that giving them back gives them back to the kernel. */
void *map_pages(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

/* True if a component is "." or "..". */
bool path_is_dotted(const char *path) {
  while (*path) {
    size_t n = strcspn(path, "/");
    if ((n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
      return true;
    path += n;
    path += strspn(path, "/");
  }
  return false;
}
