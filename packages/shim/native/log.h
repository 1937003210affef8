/* Parts of the log writer that know nothing of the rest (log_format.c is pure). */
#ifndef LOG_H
#define LOG_H

#include "shim.h"

#define LOG_OPEN_FLAGS (O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* How many bytes at p stand for themselves in a record: ASCII, no control characters, not " & < > and backslash. */
size_t plain_length(const uint8_t *p, size_t length);
/* Length of the UTF-8 sequence at p, 0 if it is none (as Go's utf8.DecodeRune). */
size_t utf8_length(const uint8_t *p, size_t left);
/* RFC 3339 with nanoseconds, trailing zeros dropped, UTC: Go's time.RFC3339Nano. */
void log_time(char *out, size_t size, uint64_t ns);
/* LOG to LOG.1, LOG.1 to LOG.2 and so on; opens a new LOG. With one file it is a new one. Nothing, if there is no room. */
void log_rotate(struct log *log);
/* Starts to make PATH.gz out of PATH; the pid of the process that does it, or -1. */
pid_t gzip_in_background(const char *path);

#endif
