/*
 * Archives a directory that a running container may be changing: ctr-files pack [MODE UID GID] >&replies 3<directory 4>archive. The
 * directory is this process's root; every name in it is opened below its open directory and never followed, so that there is nothing a
 * container could put there that leads outside. What vanishes meanwhile is left out; sockets always are. Names are sorted: the same tree
 * gives the same bytes. Whiteouts and opaque marks of an overlay become `.wh.` members.
 *
 * With MODE, UID and GID the root has no member of its own if it has just these.
 */
#include "files.h"
#include "names.h"
#include "process.h"
#include "room.h"
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
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

#define BUFFER_BYTES (1u << 20)
#define XATTR_BYTES (64u << 10) /* XATTR_LIST_MAX and XATTR_SIZE_MAX: xattr(7) */
#define MAX_PATH_BYTES 3800     /* must fit into PATH_MAX when it is unpacked, with some room for the directory in front */
#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* A FIFO that takes a file's place must not block us, nor a terminal become ours. Reading leaves no trace in the container's files. */
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_NOATIME | O_CLOEXEC)

static struct {
  uint8_t buffer[BUFFER_BYTES];
  size_t filled;
  uint64_t written, members;
} out;

static struct records records;
static struct links links;
/* Of the node at hand, without a slash in front; one level of names longer than MAX_PATH_BYTES, and a few bytes for what is added. */
static char path[MAX_PATH_BYTES + 512];

static void flush(void) {
  take_room(OUTPUT_FD, out.filled, path);
  for (size_t done = 0; done < out.filled;) {
    ssize_t n = write(OUTPUT_FD, out.buffer + done, out.filled - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      fail("write", "the archive");
    done += (size_t)n;
  }
  uint8_t message[9] = {REPLY_WRITTEN};
  out.written += out.filled;
  out.filled = 0;
  memcpy(message + 1, &out.written, 8);
  reply(message, sizeof message);
}

/* So many bytes, of `from` or zeros. */
static void put(const void *from, uint64_t length) {
  const uint8_t *at = from;
  while (length) {
    if (out.filled == BUFFER_BYTES)
      flush();
    size_t room = BUFFER_BYTES - out.filled, n = length < room ? (size_t)length : room;
    if (at)
      memcpy(out.buffer + out.filled, at, n);
    else
      memset(out.buffer + out.filled, 0, n);
    at = at ? at + n : at;
    out.filled += n;
    length -= n;
  }
}

/* With what is in `records`. */
static void put_header(const struct member *member) {
  uint8_t block[BLOCK_BYTES] = {0};
  out.members++;
  if (records.used) {
    encode_pax_header(block, records.used);
    put(block, BLOCK_BYTES);
    put(records.bytes, records.used);
    put(NULL, padding_of(records.used));
    memset(block, 0, BLOCK_BYTES);
  }
  encode_header(block, member);
  put(block, BLOCK_BYTES);
}

/* Exactly `size` bytes, whatever happens to the file meanwhile. */
static void put_data(int fd, uint64_t size) {
  for (uint64_t position = 0; position < size;) {
    if (out.filled == BUFFER_BYTES)
      flush();
    uint64_t left = size - position, room = BUFFER_BYTES - out.filled;
    size_t wanted = (size_t)(left < room ? left : room);
    ssize_t n = pread(fd, out.buffer + out.filled, wanted, (off_t)position);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      fail("read", path);
    if (n == 0) /* it has become shorter: the header is written, so its bytes must come */
      memset(out.buffer + out.filled, 0, wanted);
    out.filled += n ? (size_t)n : wanted;
    position += n ? (uint64_t)n : wanted;
  }
  put(NULL, padding_of(size));
}

/* The node has been removed or replaced since it was seen; any other errno is the end. */
static void vanished(const char *call) {
  if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENXIO && errno != EINVAL)
    fail(call, path);
}

static struct member member_of(const struct stat *st, char type, const char *name) {
  return (struct member){
      .path = name,
      .target = "",
      .type = type,
      .mode = st->st_mode & 07777,
      .uid = st->st_uid,
      .gid = st->st_gid,
      .seconds = st->st_mtim.tv_sec,
      .nanoseconds = (uint32_t)st->st_mtim.tv_nsec,
  };
}

static void begin(const struct member *member) {
  records.used = 0;
  add_records(&records, member);
}

/* Labels and measurements of this host mean nothing elsewhere. */
static bool is_local(const char *name) {
  return strncmp(name, "trusted.overlay.", 16) == 0 || strcmp(name, "security.selinux") == 0 || strcmp(name, "security.ima") == 0 ||
         strcmp(name, "security.evm") == 0;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of an open file, or of `name` in the working directory, which is never followed. False: it is not there any more. */
static bool add_attributes(int fd, const char *name) {
  static char list[XATTR_BYTES], value[XATTR_BYTES];
  static const char *names[XATTR_BYTES / 2];
  ssize_t length = fd >= 0 ? flistxattr(fd, list, sizeof list) : llistxattr(name, list, sizeof list);
  if (length < 0 && errno != EOPNOTSUPP) {
    vanished("listxattr");
    return false;
  }
  size_t count = 0;
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(list + at) + 1)
    if (list[at] && !is_local(list + at))
      names[count++] = list + at;
  qsort(names, count, sizeof *names, by_bytes);
  for (size_t i = 0; i < count; i++) {
    ssize_t n = fd >= 0 ? fgetxattr(fd, names[i], value, sizeof value) : lgetxattr(name, names[i], value, sizeof value);
    if (n >= 0)
      add_attribute(&records, names[i], value, (size_t)n);
    else if (errno != ENODATA && errno != EOPNOTSUPP) {
      vanished("getxattr");
      return false;
    }
  }
  return true;
}

/* An empty file with nothing but a name and a time. */
static void put_mark(const char *name, int64_t seconds) {
  struct member mark = {.path = name, .target = "", .type = '0', .mode = 0600, .seconds = seconds};
  begin(&mark);
  put_header(&mark);
}

static void put_whiteout(const char *name, size_t name_start, int64_t seconds) {
  char marked[sizeof path + 4];
  snprintf(marked, sizeof marked, "%.*s.wh.%s", (int)name_start, path, name);
  put_mark(marked, seconds);
}

static void put_file(int directory, const char *name) {
  int fd = openat(directory, name, FILE_FLAGS);
  if (fd < 0 && errno == EPERM) /* O_NOATIME is for the owner and CAP_FOWNER over it */
    fd = openat(directory, name, FILE_FLAGS & ~O_NOATIME);
  if (fd < 0) {
    vanished("open");
    return;
  }
  struct stat st;
  if (fstat(fd, &st) < 0)
    fail("fstat", path);
  if (!S_ISREG(st.st_mode)) {
    close(fd);
    return;
  }
  struct member file = member_of(&st, '0', path);
  const char *first = st.st_nlink > 1 ? link_to(&links, st.st_dev, st.st_ino, path) : NULL;
  if (first) {
    file.type = '1';
    file.target = first;
    begin(&file);
    put_header(&file);
  } else {
    file.size = (uint64_t)st.st_size;
    begin(&file);
    if (add_attributes(fd, NULL)) {
      put_header(&file);
      put_data(fd, file.size);
    }
  }
  close(fd);
}

/* A symlink, a device or a FIFO: they are not opened. */
static void put_node(int directory, const char *name, size_t name_start, const struct stat *st) {
  static char target[PATH_MAX];
  struct member node = member_of(st, '6', path);
  if (S_ISCHR(st->st_mode) && st->st_rdev == 0) {
    put_whiteout(name, name_start, node.seconds);
    return;
  }
  if (S_ISLNK(st->st_mode)) {
    ssize_t n = readlinkat(directory, name, target, sizeof target - 1);
    if (n < 0) {
      vanished("readlink");
      return;
    }
    target[n] = 0;
    node.type = '2';
    node.target = target;
  } else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
    node.type = S_ISCHR(st->st_mode) ? '3' : '4';
    node.major = major(st->st_rdev);
    node.minor = minor(st->st_rdev);
  } else if (!S_ISFIFO(st->st_mode))
    return;
  begin(&node);
  if (fchdir(directory) < 0)
    fail("fchdir", path);
  if (add_attributes(-1, name))
    put_header(&node);
}

static void put_children(int fd, size_t path_bytes);

static void put_overlay_marks(int fd, size_t path_bytes) {
  char value[2];
  if (fgetxattr(fd, "trusted.overlay.redirect", NULL, 0) >= 0) {
    errno = EXDEV;
    fail("redirect", path);
  }
  if (fgetxattr(fd, "trusted.overlay.opaque", value, sizeof value) != 1 || value[0] != 'y')
    return;
  memcpy(path + path_bytes, "/.wh..wh..opq", sizeof "/.wh..wh..opq");
  put_mark(path, 0);
  path[path_bytes] = 0;
}

static void put_directory(int directory, const char *name, size_t path_bytes) {
  int fd = openat(directory, name, DIRECTORY_FLAGS);
  struct stat st;
  if (fd < 0) {
    vanished("open");
    return;
  }
  if (fstat(fd, &st) < 0)
    fail("fstat", path);
  memcpy(path + path_bytes, "/", 2);
  struct member self = member_of(&st, '5', path);
  begin(&self);
  bool is_there = add_attributes(fd, NULL);
  if (is_there)
    put_header(&self);
  path[path_bytes] = 0;
  if (is_there) {
    put_overlay_marks(fd, path_bytes);
    put_children(fd, path_bytes);
  }
  close(fd);
}

/* `seen`: what the directory said of it, which may not be true any more; some file systems say nothing. */
static void put_child(int directory, const char *name, enum seen seen, size_t name_start) {
  size_t path_bytes = name_start + strlen(name);
  struct stat st;
  if (seen == SEEN_OTHER) {
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
      vanished("lstat");
      return;
    }
    seen = S_ISREG(st.st_mode) ? SEEN_FILE : S_ISDIR(st.st_mode) ? SEEN_DIRECTORY : SEEN_OTHER;
  }
  if (seen == SEEN_FILE)
    put_file(directory, name);
  else if (seen == SEEN_DIRECTORY)
    put_directory(directory, name, path_bytes);
  else
    put_node(directory, name, name_start, &st);
}

/* `path_bytes`: of the directory's path; 0 for the root. */
static void put_children(int fd, size_t path_bytes) {
  struct names names = {0};
  size_t start = path_bytes ? path_bytes + 1 : 0;
  if (read_names(&names, fd) < 0)
    vanished("getdents64");
  for (size_t i = 0; i < names.count; i++) {
    const char *name = names.sorted[i] + 1;
    if (path_bytes)
      path[path_bytes] = '/';
    memcpy(path + start, name, strlen(name) + 1);
    if (start + strlen(name) > MAX_PATH_BYTES) {
      errno = ENAMETOOLONG;
      fail("path", path);
    }
    put_child(fd, name, (enum seen)names.sorted[i][0], start);
  }
  path[path_bytes] = 0;
  free_names(&names);
}

static void put_root(int argc, char **argv) {
  struct stat st;
  int fd = openat(ROOT_FD, ".", DIRECTORY_FLAGS);
  if (fd < 0 || fstat(fd, &st) < 0)
    fail("open", "/");
  const bool is_as_below = argc == 5 && strtoul(argv[2], NULL, 10) == st.st_mode && strtoul(argv[3], NULL, 10) == st.st_uid &&
                           strtoul(argv[4], NULL, 10) == st.st_gid;
  struct member self = member_of(&st, '5', "./");
  begin(&self);
  if (!is_as_below && add_attributes(fd, NULL))
    put_header(&self);
  put_children(fd, 0);
  close(fd);
}

_Noreturn void pack_files(int argc, char **argv) {
  if ((argc != 2 && argc != 5) || strcmp(argv[1], "pack") != 0)
    malformed("arguments");
  /* To read whatever there is, attributes of overlay among it, and to leave access times alone. */
  enter_root(1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER | 1u << CAP_SYS_ADMIN);
  put_root(argc, argv);
  put(NULL, 2 * BLOCK_BYTES);
  flush();
  uint8_t message[17] = {REPLY_PACKED};
  memcpy(message + 1, &out.written, 8);
  memcpy(message + 9, &out.members, 8);
  reply(message, sizeof message);
  _exit(0);
}
