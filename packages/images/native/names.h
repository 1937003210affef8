/* What is remembered while a tree is archived: the names of a directory, and where a file with several links was first. */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum seen { SEEN_OTHER = 0, SEEN_FILE = 1, SEEN_DIRECTORY = 2 };

/* Each of `sorted` is a byte of `enum seen`, then the name. In the order of the names' bytes. */
struct names {
  char *bytes;
  size_t used, size, count;
  const char **sorted;
};

/* -1 and errno where the directory cannot be read. The process ends where memory does. */
int read_names(struct names *names, int fd);
void free_names(struct names *names);

struct link {
  dev_t device;
  ino_t inode;
  char *path;
};

struct links {
  struct link *slots;
  size_t count, size;
};

/* The path that this inode was first seen at; NULL if that is now, and `path` is kept. */
const char *link_to(struct links *links, dev_t device, ino_t inode, const char *path);

#endif
