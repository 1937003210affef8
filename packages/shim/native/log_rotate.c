/*
 * Rotation by size, with Docker's names: LOG, LOG.1, … LOG.(max_files - 1), the highest is the oldest. With
 * LOG_COMPRESS they are LOG.1.gz and so on; LOG.1 exists beside until LOG.1.gz is complete.
 */
#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

static bool name_of(char out[PATH_MAX], const char *path, uint32_t number, const char *suffix) {
  struct text t = text_in(out, PATH_MAX);
  text_str(&t, path);
  if (number) {
    text_str(&t, ".");
    text_number(&t, number);
  }
  text_str(&t, suffix);
  return !t.overflow;
}

static void move(const char *path, uint32_t from, uint32_t to, const char *suffix) {
  char a[PATH_MAX], b[PATH_MAX];
  if (name_of(a, path, from, suffix) && name_of(b, path, to, suffix))
    rename(a, b); /* ENOENT: there are not that many yet */
}

/* The caller does not rotate while LOG.1 is being compressed: the log grows past its size for that long. */
void log_rotate(struct log *log) {
  char first[PATH_MAX], next[PATH_MAX];
  if (!name_of(next, log->path, 0, ".new"))
    return;
  /* Before anything is renamed: without room for it, each record would push the older files on, and the oldest out. */
  int fd = open(next, LOG_OPEN_FLAGS, 0640);
  if (fd < 0)
    return; /* goes on in the old file; the next record tries again */
  if (log->max_files >= 2) {
    for (uint32_t i = log->max_files - 1; i > 1; i--) {
      move(log->path, i - 1, i, "");
      move(log->path, i - 1, i, ".gz");
    }
    move(log->path, 0, 1, "");
  }
  /* With one file this is its end. It is not truncated: who reads it can still read it to its end. */
  if (rename(next, log->path) < 0) {
    close(fd);
    return;
  }
  close(log->fd);
  log->fd = fd;
  log->size = 0;
  log->torn = false;
  if (log->flags & LOG_COMPRESS && log->max_files > 1 && name_of(first, log->path, 1, ""))
    log->gzip = gzip_in_background(first);
}
