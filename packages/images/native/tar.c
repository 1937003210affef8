#include "tar.h"

#include "process.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 100
#define MAX_OCTAL_7 07777777u
#define MAX_OCTAL_11 077777777777ull
#define CHECKSUM 148

size_t padding_of(uint64_t size) {
  return (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES;
}

/* What does not fit is zero here and stands in the pax header. */
static void octal(uint8_t *out, int digits, uint64_t value, uint64_t max) {
  uint64_t rest = value <= max ? value : 0;
  for (int at = digits - 1; at >= 0; at--, rest /= 8)
    out[at] = (uint8_t)('0' + rest % 8);
}

void encode_header(uint8_t *out, const struct member *m) {
  memcpy(out, m->path, strnlen(m->path, NAME_BYTES));
  octal(out + 100, 7, m->mode, MAX_OCTAL_7);
  octal(out + 108, 7, m->uid, MAX_OCTAL_7);
  octal(out + 116, 7, m->gid, MAX_OCTAL_7);
  octal(out + 124, 11, m->size, MAX_OCTAL_11);
  octal(out + 136, 11, m->seconds < 0 ? 0 : (uint64_t)m->seconds, MAX_OCTAL_11);
  out[156] = (uint8_t)m->type;
  memcpy(out + 157, m->target, strnlen(m->target, NAME_BYTES));
  memcpy(out + 257, "ustar\00000", 8);
  octal(out + 329, 7, m->major, MAX_OCTAL_7);
  octal(out + 337, 7, m->minor, MAX_OCTAL_7);
  memset(out + CHECKSUM, ' ', 8);
  uint32_t sum = 0;
  for (int at = 0; at < BLOCK_BYTES; at++)
    sum += out[at];
  octal(out + CHECKSUM, 6, sum, MAX_OCTAL_7);
  out[CHECKSUM + 6] = 0;
}

void encode_pax_header(uint8_t *out, size_t record_bytes) {
  const struct member pax = {.path = "PaxHeaders.0", .target = "", .type = 'x', .mode = 0644, .size = record_bytes};
  encode_header(out, &pax);
}

static uint8_t *room_for(struct records *records, size_t bytes) {
  if (records->size - records->used < bytes) {
    size_t size = (records->used + bytes) * 2;
    uint8_t *larger = realloc(records->bytes, size);
    if (!larger)
      fail("realloc", "");
    records->bytes = larger;
    records->size = size;
  }
  uint8_t *at = records->bytes + records->used;
  records->used += bytes;
  return at;
}

static size_t digits_of(size_t number) {
  return (size_t)snprintf(NULL, 0, "%zu", number);
}

/* "<length> <prefix><key>=<value>\n"; the length counts its own digits. */
static void add(struct records *records, const char *prefix, const char *key, const void *value, size_t value_bytes) {
  size_t prefix_bytes = strlen(prefix), key_bytes = strlen(key), rest = prefix_bytes + key_bytes + value_bytes + 3;
  size_t length = rest + digits_of(rest);
  if (rest + digits_of(length) != length)
    length = rest + digits_of(length);
  char head[24];
  size_t head_bytes = (size_t)snprintf(head, sizeof head, "%zu ", length);
  uint8_t *at = room_for(records, length);
  memcpy(at, head, head_bytes);
  memcpy(at += head_bytes, prefix, prefix_bytes);
  memcpy(at += prefix_bytes, key, key_bytes);
  *(at += key_bytes) = '=';
  memcpy(at + 1, value, value_bytes);
  at[1 + value_bytes] = '\n';
}

static void add_text(struct records *records, const char *key, const char *value) {
  add(records, "", key, value, strlen(value));
}

static void add_number(struct records *records, const char *key, uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, value);
  add_text(records, key, text);
}

/* Before 1970 the fraction counts down: -1 s and 250 ms is "-0.75". */
static void add_time(struct records *records, int64_t seconds, uint32_t nanoseconds) {
  bool is_negative = seconds < 0 && nanoseconds > 0;
  int64_t whole = is_negative ? seconds + 1 : seconds;
  uint32_t fraction = is_negative ? 1000000000u - nanoseconds : nanoseconds;
  char text[40];
  int length = snprintf(text, sizeof text, "%s%" PRId64 ".%09" PRIu32, is_negative && whole == 0 ? "-" : "", whole, fraction);
  while (text[length - 1] == '0')
    text[--length] = 0;
  if (text[length - 1] == '.')
    text[--length] = 0;
  add_text(records, "mtime", text);
}

static bool needs_record(const char *path) {
  size_t length = 0;
  for (; path[length]; length++)
    if ((uint8_t)path[length] > 0x7f)
      return true;
  return length > NAME_BYTES;
}

void add_records(struct records *records, const struct member *m) {
  if (needs_record(m->path))
    add_text(records, "path", m->path);
  if (needs_record(m->target))
    add_text(records, "linkpath", m->target);
  if (m->uid > MAX_OCTAL_7)
    add_number(records, "uid", m->uid);
  if (m->gid > MAX_OCTAL_7)
    add_number(records, "gid", m->gid);
  if (m->size > MAX_OCTAL_11)
    add_number(records, "size", m->size);
  if (m->nanoseconds || m->seconds < 0 || (uint64_t)m->seconds > MAX_OCTAL_11)
    add_time(records, m->seconds, m->nanoseconds);
}

void add_attribute(struct records *records, const char *name, const void *value, size_t value_bytes) {
  add(records, "SCHILY.xattr.", name, value, value_bytes);
}
