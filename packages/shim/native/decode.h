/*
 * The one decoder of launch programs. Pure: reads memory, writes memory, no system calls (fuzz/fuzz.c drives it).
 * After it has accepted a program, every length, string and slot in it can be trusted.
 */
#ifndef DECODE_H
#define DECODE_H

#include "protocol.h"
#include "util.h"

#define FIELDS_MAX 7

struct field {
  uint64_t number;      /* u32, u64; number of strings of strs; length of str and bytes */
  const uint8_t *bytes; /* str (NUL-terminated), bytes, strs (packed) */
};

struct op {
  uint16_t code;
  uint8_t side; /* SIDE_HOST or SIDE_CHILD */
  bool optional, is_beside; /* is_beside: of the host, while the child does what stands before it */
  struct field f[FIELDS_MAX];
};

struct program {
  struct op *ops;
  uint32_t count;
};

struct op_spec {
  uint16_t code;
  uint8_t side;
  const char *name, *kinds, *fields;
};

static inline const char *op_str(const struct op *o, int i) {
  return (const char *)o->f[i].bytes;
}
static inline uint32_t op_u32(const struct op *o, int i) {
  return (uint32_t)o->f[i].number;
}
static inline uint64_t op_u64(const struct op *o, int i) {
  return o->f[i].number;
}

/* First string of a strs field; the decoder has checked that exec has one. */
static inline const char *op_first(const struct op *o, int i) {
  return (const char *)o->f[i].bytes + 4;
}

/* Number of records, or 0 if their frame is broken. */
uint32_t count_ops(const uint8_t *data, size_t size);
/* Fills program->ops, which has room for count_ops(). Returns 0 or an errno; *bad is the index of the refused record.
 */
int decode_program(const uint8_t *data, size_t size, struct program *program, uint32_t *bad);
/* Next string of a strs field: *at starts as f.bytes. */
const char *next_str(const uint8_t **at);
bool is_supervised(const struct program *program);
/* The program of `ctr-shim run`: its process is handed over to whoever called. Supervised as well. */
bool is_handover(const struct program *program);
const struct op_spec *op_spec(uint16_t code);
void print_protocol(void);

#endif
