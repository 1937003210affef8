/* Small things that every file needs. Errors are positive errno values; 0 is success. */
#ifndef UTIL_H
#define UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static inline void close_fd(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}
/* Closed when the scope ends, whatever way it ends. */
#define scoped_fd __attribute__((cleanup(close_fd))) int

static inline uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get64(const uint8_t *p) {
  return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static inline void put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> (8 * i));
}

static inline void put64(uint8_t *p, uint64_t v) {
  put32(p, (uint32_t)v);
  put32(p + 4, (uint32_t)(v >> 32));
}

static inline void put32be(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ms(void) {
  return clock_ns(CLOCK_MONOTONIC) / 1000000u;
}

/* A text of bounded length, always NUL-terminated; what does not fit sets `overflow`. No stdio: it costs memory. */
struct text {
  char *at, *end;
  bool overflow;
};

static inline struct text text_in(char *buffer, size_t size) {
  buffer[0] = 0;
  return (struct text){.at = buffer, .end = buffer + size - 1};
}

static inline void text_bytes(struct text *t, const char *bytes, size_t length) {
  if (length > (size_t)(t->end - t->at)) {
    t->overflow = true;
    return;
  }
  memcpy(t->at, bytes, length);
  t->at += length;
  *t->at = 0;
}

static inline void text_str(struct text *t, const char *s) {
  text_bytes(t, s, strlen(s));
}

static inline void text_number(struct text *t, uint64_t n) {
  char digits[20];
  size_t i = sizeof digits;
  do
    digits[--i] = (char)('0' + n % 10);
  while (n /= 10);
  text_bytes(t, digits + i, sizeof digits - i);
}

int write_all(int fd, const void *data, size_t length);
int read_text(int dir, const char *path, char *buffer, size_t size);
/* One write(2) to an existing file. */
int write_file(const char *path, const void *data, size_t length);
int write_once(int fd, const void *data, size_t length);
/* Field 22 of /proc/PID/stat: with the pid it names a process for ever. */
int read_start_time(pid_t pid, uint64_t *start_time);
void *map_pages(size_t size);
bool path_is_dotted(const char *path);

#endif
