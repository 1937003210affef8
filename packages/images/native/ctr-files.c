/*
 * Makes the files of a layer: ctr-files <&program >&replies 3</directory 4</source. It decides nothing. packages/images/src/unpack
 * reads the archive, which is hostile, and says what to make; this process does it with the directory as its root, so that not even a
 * mistake there could reach anything else. It makes a file with four system calls where Node needs ten microseconds more.
 *
 * Every path begins with a slash; its parents are real directories that an operation before has made.
 */
#include "files.h"
#include "process.h"
#include "room.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PROGRAM_BYTES (4u << 20) /* an operation fits: path, 1 MiB of attributes (tar/parser.ts), 1 MiB of data */
#define SOURCE_BYTES (1u << 20)
#define PIPE_BYTES (1 << 20)
#define REMOVE_FDS 32
#define SPECIAL_BITS 07000u

static uint8_t program[PROGRAM_BYTES];
static uint8_t source[SOURCE_BYTES];
static uint64_t source_start, source_end; /* of the source that `source` holds */

static struct {
  int fd;
  struct op op;
  uint64_t end;
  char path[PATH_MAX];
} file = {.fd = -1};
static uint8_t file_attributes[PROGRAM_BYTES]; /* the program's buffer is used again before OP_END */

static void write_at(const void *data, size_t length, uint64_t position, const char *path) {
  const uint8_t *from = data;
  take_room(ROOT_FD, length, path);
  while (length) {
    ssize_t n = pwrite(file.fd, from, length, (off_t)position);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      fail("write", path);
    from += n;
    position += (uint64_t)n;
    length -= (size_t)n;
  }
}

/* The source grows while we read: what is not there at once was never announced, or has been taken away. */
static void fill_source(uint64_t offset) {
  ssize_t n;
  do
    n = pread(SOURCE_FD, source, SOURCE_BYTES, (off_t)offset);
  while (n < 0 && errno == EINTR);
  if (n <= 0) {
    if (n == 0)
      errno = ENODATA;
    fail("read", "the archive");
  }
  source_start = offset;
  source_end = offset + (uint64_t)n;
}

static void copy_from_source(uint64_t offset, uint64_t length, uint64_t position, const char *path) {
  while (length) {
    if (offset < source_start || offset >= source_end || (source_end - offset < length && offset != source_start))
      fill_source(offset);
    uint64_t there = source_end - offset, n = there < length ? there : length;
    write_at(source + (offset - source_start), (size_t)n, position, path);
    offset += n;
    position += n;
    length -= n;
    if (length && offset == source_end)
      fill_source(offset);
  }
}

/* Those that a file system lacks, or that a user namespace may not set, are left out. */
static void set_attributes(int fd, const char *path, const uint8_t *at, size_t left) {
  while (left) {
    uint32_t name_bytes, value_bytes;
    if (left < 8)
      malformed("attributes");
    memcpy(&name_bytes, at, 4);
    memcpy(&value_bytes, at + 4, 4);
    if (name_bytes == 0 || name_bytes > left - 8 || value_bytes > left - 8 - name_bytes || at[8 + name_bytes - 1] != 0)
      malformed("attributes");
    const char *name = (const char *)at + 8;
    const void *value = at + 8 + name_bytes;
    int result = fd >= 0 ? fsetxattr(fd, name, value, value_bytes, 0) : lsetxattr(path, name, value, value_bytes, 0);
    if (result < 0 && errno != EOPNOTSUPP && errno != EPERM)
      fail("setxattr", path);
    at += 8 + name_bytes + value_bytes;
    left -= 8 + name_bytes + value_bytes;
  }
}

static void set_times(int fd, const char *path, const struct op *op) {
  struct timespec time = {.tv_sec = op->seconds, .tv_nsec = op->nanoseconds};
  struct timespec times[2] = {time, time};
  int result = fd >= 0 ? futimens(fd, times) : utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
  if (result < 0)
    fail("utimensat", path);
}

static void end_file(const struct op *op, const char *path, const uint8_t *attributes) {
  if (file.end < op->size && ftruncate(file.fd, (off_t)op->size) < 0)
    fail("ftruncate", path);
  /* A change of the owner takes set-uid away: chown(2). So the mode comes last. */
  if ((op->uid || op->gid) && fchown(file.fd, op->uid, op->gid) < 0)
    fail("fchown", path);
  if ((op->mode & SPECIAL_BITS) && fchmod(file.fd, op->mode) < 0)
    fail("fchmod", path);
  set_attributes(file.fd, path, attributes, op->attribute_bytes);
  set_times(file.fd, path, op);
  close(file.fd);
  file.fd = -1;
}

/* What an earlier member has left there gives way. Directories are removed by OP_REMOVE. */
static void give_way(const struct op *op, const char *call, const char *path) {
  if (errno != EEXIST || (op->flags & FLAG_NO_REPLACE))
    fail(call, path);
  if (unlink(path) < 0)
    fail("unlink", path);
}

static void make_file(const struct op *op, const char *path, const uint8_t *attributes) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  if (file.fd >= 0)
    malformed("two files");
  file.fd = open(path, flags, op->mode & 0777);
  if (file.fd < 0) {
    give_way(op, "open", path);
    file.fd = open(path, flags, op->mode & 0777);
  }
  if (file.fd < 0)
    fail("open", path);
  file.end = 0;
  if (op->flags & FLAG_WHOLE) {
    copy_from_source(op->offset, op->size, 0, path);
    file.end = op->size;
    end_file(op, path, attributes);
    return;
  }
  file.op = *op;
  if (op->path_bytes > sizeof file.path)
    malformed("path");
  memcpy(file.path, path, op->path_bytes);
  memcpy(file_attributes, attributes, op->attribute_bytes);
}

static void write_file(const struct op *op, const uint8_t *argument) {
  if (file.fd < 0)
    malformed("data without a file");
  uint64_t length = op->code == OP_COPY ? op->length : op->argument_bytes;
  if (op->code == OP_COPY)
    copy_from_source(op->offset, length, op->position, file.path);
  else
    write_at(argument, length, op->position, file.path);
  file.end = op->position + length;
}

static int try_make(const struct op *op, const char *path, const char *argument) {
  switch (op->code) {
  case OP_DIRECTORY:
    return mkdir(path, 0700);
  case OP_SYMLINK:
    return symlink(argument, path);
  case OP_LINK:
    return link(argument, path); /* does not follow a symlink: link(2) */
  default:
    return mknod(path, op->mode, makedev(op->major, op->minor));
  }
}

static void make_node(const struct op *op, const char *path, const char *argument, const uint8_t *attributes) {
  static const char *const calls[] = {[OP_DIRECTORY] = "mkdir", [OP_SYMLINK] = "symlink", [OP_LINK] = "link", [OP_NODE] = "mknod"};
  if (try_make(op, path, argument) < 0) {
    give_way(op, calls[op->code], path);
    if (try_make(op, path, argument) < 0)
      fail(calls[op->code], path);
  }
  if (op->code == OP_LINK || op->code == OP_DIRECTORY)
    return;
  if ((op->uid || op->gid) && lchown(path, op->uid, op->gid) < 0)
    fail("lchown", path);
  if (op->code == OP_NODE && (op->mode & SPECIAL_BITS) && chmod(path, op->mode & 07777) < 0)
    fail("chmod", path);
  set_attributes(-1, path, attributes, op->attribute_bytes);
  set_times(-1, path, op);
}

static void make_whiteout(const char *path) {
  uint8_t answer = mknod(path, S_IFCHR, 0) == 0 ? REPLY_MADE : REPLY_EXISTS;
  if (answer == REPLY_EXISTS && errno != EEXIST)
    fail("mknod", path);
  reply(&answer, 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)ftw;
  return (type == FTW_DP ? rmdir(path) : unlink(path)) < 0 ? -1 : 0;
}

static void end_directory(const struct op *op, const char *path, const uint8_t *attributes) {
  if ((op->uid || op->gid) && lchown(path, op->uid, op->gid) < 0)
    fail("lchown", path);
  if (chmod(path, op->mode & 07777) < 0)
    fail("chmod", path);
  set_attributes(-1, path, attributes, op->attribute_bytes);
  if (!(op->flags & FLAG_KEEP_TIME))
    set_times(-1, path, op);
}

static void run(const struct op *op, const uint8_t *rest) {
  const char *path = (const char *)rest, *argument = path + op->path_bytes;
  const uint8_t *attributes = rest + op->path_bytes + op->argument_bytes;
  if (op->path_bytes && (path[0] != '/' || path[op->path_bytes - 1] != 0))
    malformed("path");
  if (op->path_bytes)
    take_room(ROOT_FD, ROOM_OF_FILE, path);
  if (op->code != OP_WRITE && op->argument_bytes && argument[op->argument_bytes - 1] != 0)
    malformed("argument");
  switch (op->code) {
  case OP_FILE:
    make_file(op, path, attributes);
    return;
  case OP_WRITE:
  case OP_COPY:
    write_file(op, (const uint8_t *)argument);
    return;
  case OP_END:
    if (file.fd < 0)
      malformed("end without a file");
    end_file(&file.op, file.path, file_attributes);
    return;
  case OP_DIRECTORY:
  case OP_SYMLINK:
  case OP_LINK:
  case OP_NODE:
    make_node(op, path, argument, attributes);
    return;
  case OP_WHITEOUT:
    make_whiteout(path);
    return;
  case OP_REMOVE:
    if (nftw(path, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS) < 0)
      fail("remove", path);
    return;
  case OP_ATTRIBUTES:
    end_directory(op, path, attributes);
    return;
  case OP_FINISH:
    _exit(file.fd < 0 ? 0 : 3);
  default:
    malformed("operation");
  }
}

/* How many of `there` bytes were whole operations. */
static size_t run_all(size_t there) {
  size_t done = 0;
  while (there - done >= HEAD_BYTES) {
    struct op op;
    memcpy(&op, program + done, HEAD_BYTES);
    uint64_t rest = (uint64_t)op.path_bytes + op.argument_bytes + op.attribute_bytes;
    if (rest > PROGRAM_BYTES - HEAD_BYTES)
      malformed("length");
    if (there - done - HEAD_BYTES < rest)
      break;
    run(&op, program + done + HEAD_BYTES);
    done += HEAD_BYTES + rest;
  }
  return done;
}

_Noreturn void make_files(void) {
  /* Only what it takes to make files of any owner, with any attribute. */
  enter_root(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_MKNOD | 1u << CAP_SYS_ADMIN |
             1u << CAP_SETFCAP);
  fcntl(PROGRAM_FD, F_SETPIPE_SZ, PIPE_BYTES); /* best effort: root may, up to pipe-max-size */
  size_t used = 0;
  for (;;) {
    ssize_t n = read(PROGRAM_FD, program + used, PROGRAM_BYTES - used);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      _exit(3); /* who says what to do is gone */
    used += (size_t)n;
    size_t done = run_all(used);
    used -= done;
    memmove(program, program + done, used);
  }
}
