#include "room.h"

#include "process.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/statvfs.h>

/* packages/images/src/content/room.ts has the same numbers, and why they are these. */
#define KEPT_BYTES (32u << 20)
#define KEPT_NODES 1024u
#define KEPT_PART 32u
#define LOOK_BYTES (4u << 20)

static uint64_t min(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

void take_room(int fd, uint64_t bytes, const char *path) {
  static uint64_t since;
  struct statvfs disk;
  since += bytes;
  if (since < LOOK_BYTES)
    return;
  /* A file system that does not answer is not full. */
  if (fstatvfs(fd, &disk) == 0) {
    const uint64_t unit = disk.f_frsize ? disk.f_frsize : 1;
    const uint64_t kept = min(KEPT_BYTES, disk.f_blocks * unit / KEPT_PART);
    const uint64_t kept_nodes = min(KEPT_NODES, disk.f_files / KEPT_PART); /* none of btrfs, which has no such limit */
    const bool is_full = disk.f_blocks && disk.f_bavail * unit < kept + since; /* none of a tmpfs without a limit */
    if (is_full || (kept_nodes && disk.f_favail < kept_nodes)) {
      errno = ENOSPC;
      fail("room", path);
    }
  }
  since = 0;
}
