/*
 * What ctr-files and src/unpack/file-program.ts say to each other. Numbers are little-endian, texts end with NUL and are counted
 * with it. Every operation is a head of HEAD_BYTES, its path, its argument and its attributes, one behind the other.
 */
#ifndef FILES_H
#define FILES_H

#include <stdint.h>

enum code {
  OP_FILE = 1,     /* a new regular file; with WHOLE its `size` bytes are at `offset` of the source, else OP_END ends it */
  OP_WRITE = 2,    /* the argument at `position` of the file */
  OP_COPY = 3,     /* `length` bytes at `offset` of the source at `position` of the file */
  OP_END = 4,      /* the file gets its size and attributes */
  OP_DIRECTORY = 5, /* 0700 until OP_ATTRIBUTES */
  OP_SYMLINK = 6,  /* argument: target */
  OP_LINK = 7,     /* argument: the other name */
  OP_NODE = 8,     /* a device or a FIFO */
  OP_WHITEOUT = 9, /* where nothing is; answered by REPLY_MADE or REPLY_EXISTS */
  OP_REMOVE = 10,  /* a directory with all that is in it */
  OP_ATTRIBUTES = 11, /* of a directory */
  OP_FINISH = 12,  /* the end; without it the program was cut short */
};

enum { FLAG_WHOLE = 1, FLAG_KEEP_TIME = 2, FLAG_NO_REPLACE = 4 };

#define HEAD_BYTES 64
struct op {
  uint8_t code, flags;
  uint16_t unused;
  uint32_t mode, uid, gid;
  int64_t seconds;
  uint32_t nanoseconds;
  uint32_t path_bytes, argument_bytes, attribute_bytes;
  union {
    uint32_t major, length;
  };
  uint32_t minor;
  union {
    uint64_t size, position;
  };
  uint64_t offset;
};
_Static_assert(sizeof(struct op) == HEAD_BYTES, "heads are read as they come");

/* One byte each; an error is followed by errno (u32) and the texts: system call, path. */
enum reply { REPLY_ERROR = 0, REPLY_MADE = 1, REPLY_EXISTS = 2 };

/* An attribute: length of the name (u32, with NUL), length of the value (u32), name, value. */

/*
 * `ctr-files pack [MODE UID GID]` archives instead: no program; the archive goes into OUTPUT_FD. How many bytes of it are there is told
 * meanwhile (u64 behind REPLY_WRITTEN); at the end its size and number of members (two u64 behind REPLY_PACKED).
 */
enum { REPLY_WRITTEN = 3, REPLY_PACKED = 4 };

/* The descriptors that it is started with. */
enum { PROGRAM_FD = 0, REPLY_FD = 1, ROOT_FD = 3, SOURCE_FD = 4, OUTPUT_FD = 4 };

#endif
