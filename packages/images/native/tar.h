/* Headers of archive members, byte for byte those of packages/images/src/tar/write.ts. */
#ifndef TAR_H
#define TAR_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK_BYTES 512

struct member {
  const char *path;   /* of a directory with a slash at its end */
  const char *target; /* of a link, else "" */
  char type;          /* typeflag of ustar */
  uint32_t mode, uid, gid;
  uint64_t size; /* of a file's data */
  int64_t seconds;
  uint32_t nanoseconds;
  uint32_t major, minor;
};

/* Records of a pax header, collected before it is written. */
struct records {
  uint8_t *bytes;
  size_t used, size;
};

/* What the header has no room for. Extended attributes come behind these. Any of both ends the process where memory ends. */
void add_records(struct records *records, const struct member *member);
void add_attribute(struct records *records, const char *name, const void *value, size_t value_bytes);

/* One block; `out` is all zeros. */
void encode_header(uint8_t *out, const struct member *member);
/* The one that stands before so many bytes of records. */
void encode_pax_header(uint8_t *out, size_t record_bytes);

size_t padding_of(uint64_t size);

#endif
