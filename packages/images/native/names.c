#include "names.h"

#include "process.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES (64u << 10)
#define FIRST_BYTES 4096u
#define FIRST_LINKS 256u

static void *or_fail(void *memory) {
  if (!memory)
    fail("malloc", "");
  return memory;
}

static void add_name(struct names *names, const struct dirent64 *entry) {
  size_t bytes = strlen(entry->d_name) + 2;
  if (names->size - names->used < bytes) {
    names->size = names->size ? names->size * 2 : FIRST_BYTES; /* a name is shorter than FIRST_BYTES */
    names->bytes = or_fail(realloc(names->bytes, names->size));
  }
  char *at = names->bytes + names->used;
  at[0] = entry->d_type == DT_REG ? SEEN_FILE : entry->d_type == DT_DIR ? SEEN_DIRECTORY : SEEN_OTHER;
  memcpy(at + 1, entry->d_name, bytes - 1);
  names->used += bytes;
  names->count++;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

int read_names(struct names *names, int fd) {
  static _Alignas(struct dirent64) char entries[ENTRY_BYTES];
  ssize_t length;
  while ((length = getdents64(fd, entries, sizeof entries)) > 0)
    for (ssize_t at = 0; at < length;) {
      const struct dirent64 *entry = (const void *)(entries + at);
      if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
        add_name(names, entry);
      at += entry->d_reclen;
    }
  if (names->count == 0)
    return length < 0 ? -1 : 0;
  names->sorted = or_fail(malloc(names->count * sizeof *names->sorted));
  const char *at = names->bytes;
  for (size_t i = 0; i < names->count; i++, at += strlen(at + 1) + 2)
    names->sorted[i] = at;
  qsort(names->sorted, names->count, sizeof *names->sorted, by_name);
  return length < 0 ? -1 : 0;
}

void free_names(struct names *names) {
  free(names->bytes);
  free(names->sorted);
}

static struct link *slot_of(const struct links *links, dev_t device, ino_t inode) {
  uint64_t hash = ((uint64_t)inode ^ (uint64_t)device << 40) * 0x9e3779b97f4a7c15u;
  for (size_t at = hash >> 20;; at++) {
    struct link *slot = &links->slots[at & (links->size - 1)];
    if (!slot->path || (slot->inode == inode && slot->device == device))
      return slot;
  }
}

static void grow(struct links *links) {
  struct links larger = {.size = links->size ? links->size * 2 : FIRST_LINKS, .count = links->count};
  larger.slots = or_fail(calloc(larger.size, sizeof *larger.slots));
  for (size_t i = 0; i < links->size; i++)
    if (links->slots[i].path)
      *slot_of(&larger, links->slots[i].device, links->slots[i].inode) = links->slots[i];
  free(links->slots);
  *links = larger;
}

const char *link_to(struct links *links, dev_t device, ino_t inode, const char *path) {
  if (links->count * 2 >= links->size)
    grow(links);
  struct link *slot = slot_of(links, device, inode);
  if (slot->path)
    return slot->path;
  *slot = (struct link){.device = device, .inode = inode, .path = or_fail(strdup(path))};
  links->count++;
  return NULL;
}
