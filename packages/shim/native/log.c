/*
 * Docker's json-file log. A record is {"log":…,"stream":…,EXTRA"time":…}\n, escaped as Go's jsonlog does it; lines are
 * cut every 16 KiB, and a cut piece has no "\n". One piece of output is written with as few write(2)s as possible.
 */
#include "log.h"

#include <fcntl.h>
#include <sys/stat.h>

/* A full disk, a power cut: what is written next must not become part of the record that has no end. */
static int look_at_end(struct log *log) {
  struct stat st;
  char last;
  if (fstat(log->fd, &st) < 0)
    return errno;
  if (!S_ISREG(st.st_mode))
    return EINVAL;
  log->size = (uint64_t)st.st_size;
  log->torn = st.st_size > 0 && pread(log->fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
  return 0;
}

int log_open(struct shim *s, const struct op *o) {
  s->log.max_bytes = op_u64(o, 1);
  s->log.max_files = op_u32(o, 2);
  s->log.flags = op_u32(o, 3);
  if (s->log.flags & LOG_NONE)
    return 0;
  s->log.path = keep(s, op_str(o, 0));
  s->log.extra = keep(s, op_str(o, 4));
  s->step = "open";
  s->log.fd = open(s->log.path, LOG_OPEN_FLAGS, 0640);
  return s->log.fd < 0 ? errno : look_at_end(&s->log);
}

int log_reopen(struct shim *s) {
  if (!s->log.path)
    return 0;
  int fd = open(s->log.path, LOG_OPEN_FLAGS, 0640);
  if (fd < 0)
    return errno;
  int old = s->log.fd;
  s->log.fd = fd;
  int error = look_at_end(&s->log);
  if (error)
    s->log.fd = old;
  close(error ? fd : old);
  return error;
}

/* What whole lines of one piece of output have in common: their time, and all that comes behind the text. */
struct moment {
  char time[40];
  char tail[256];
  size_t tail_length; /* 0: too long for it */
};

/* A full disk costs records, never the container's progress. */
static void flush(struct shim *s) {
  struct log *log = &s->log;
  uint32_t used = log->used;
  log->used = 0;
  if (log->fd < 0 || !used)
    return;
  if (log->torn && write_all(log->fd, "\n", 1) != 0)
    return;
  if (write_all(log->fd, log->out, used) != 0) {
    look_at_end(log);
    return;
  }
  log->size += used + log->torn;
  log->torn = false;
}

static void put(struct shim *s, const void *data, size_t length) {
  const uint8_t *p = data;
  if (length <= LOG_OUT_SIZE - s->log.used) {
    memcpy(s->log.out + s->log.used, p, length);
    s->log.used += (uint32_t)length;
    return;
  }
  while (length) {
    if (s->log.used == LOG_OUT_SIZE)
      flush(s);
    size_t n = LOG_OUT_SIZE - s->log.used < length ? LOG_OUT_SIZE - s->log.used : length;
    memcpy(s->log.out + s->log.used, p, n);
    s->log.used += (uint32_t)n;
    p += n;
    length -= n;
  }
}

static void put_str(struct shim *s, const char *string) {
  put(s, string, strlen(string));
}

static void put_special(struct shim *s, uint8_t c) {
  static const char hex[] = "0123456789abcdef";
  char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
  char short_escape[2] = {'\\', (char)(c == '\n' ? 'n' : c == '\r' ? 'r' : c)};
  if (c == '"' || c == '\\' || c == '\n' || c == '\r')
    put(s, short_escape, 2);
  else
    put(s, escape, 6);
}

/* As moby's ffjsonWriteJSONBytesAsString: <, >, & and U+2028/9 are escaped, bytes that are no UTF-8 become \ufffd. */
static void put_escaped(struct shim *s, const uint8_t *p, size_t length) {
  size_t start = 0, i = 0;
  while ((i += plain_length(p + i, length - i)) < length) {
    uint8_t c = p[i];
    if (c < 0x80) {
      put(s, p + start, i - start);
      put_special(s, c);
      start = ++i;
      continue;
    }
    size_t n = utf8_length(p + i, length - i);
    bool is_separator = n == 3 && c == 0xe2 && p[i + 1] == 0x80 && (p[i + 2] == 0xa8 || p[i + 2] == 0xa9);
    if (n && !is_separator) {
      i += n;
      continue;
    }
    put(s, p + start, i - start);
    put_str(s, !n ? "\\ufffd" : p[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
    i += n ? n : 1;
    start = i;
  }
  put(s, p + start, length - start);
}

static void rotate_when_full(struct shim *s) {
  if (!s->log.max_bytes || s->log.gzip > 0 || s->log.size + s->log.used < s->log.max_bytes)
    return;
  flush(s);
  log_rotate(&s->log);
}

/* One record: `data`, in full or a piece of a line. */
static void put_record(struct shim *s, int stream, const uint8_t *data, size_t length, bool newline, const char *time) {
  rotate_when_full(s);
  put_str(s, "{\"log\":\"");
  put_escaped(s, data, length);
  put_str(s, newline ? "\\n\",\"stream\":\"" : "\",\"stream\":\"");
  put_str(s, stream == OUT ? "stdout\"" : "stderr\"");
  put_str(s, s->log.extra);
  put_str(s, ",\"time\":\"");
  put_str(s, time);
  put_str(s, "\"}\n");
}

/* As put_record, of a line that began and ended now. */
static void put_line(struct shim *s, int stream, const uint8_t *data, size_t length, const struct moment *now) {
  if (!now->tail_length) {
    put_record(s, stream, data, length, true, now->time);
    return;
  }
  rotate_when_full(s);
  put(s, "{\"log\":\"", 8);
  put_escaped(s, data, length);
  put(s, now->tail, now->tail_length);
}

/* The whole lines at the start of data that need no escape: what nearly all are. Returns how much they take. */
static size_t put_plain_lines(struct shim *s, const uint8_t *data, size_t length, const struct moment *now) {
  static const char head[] = "{\"log\":\"";
  size_t done = 0;
  while (done < length) {
    size_t rest = length - done < LOG_LINE_MAX ? length - done : LOG_LINE_MAX;
    size_t line = plain_length(data + done, rest);
    if (line == rest || data[done + line] != '\n')
      break;
    rotate_when_full(s);
    if (LOG_OUT_SIZE - s->log.used < sizeof head - 1 + line + sizeof now->tail)
      flush(s);
    uint8_t *out = s->log.out + s->log.used;
    memcpy(out, head, sizeof head - 1);
    memcpy(out + sizeof head - 1, data + done, line);
    memcpy(out + sizeof head - 1 + line, now->tail, now->tail_length);
    s->log.used += (uint32_t)(sizeof head - 1 + line + now->tail_length);
    done += line + 1;
  }
  return done;
}

static struct moment this_moment(struct shim *s, int stream) {
  struct moment now;
  log_time(now.time, sizeof now.time, clock_ns(CLOCK_REALTIME));
  struct text t = text_in(now.tail, sizeof now.tail);
  text_str(&t, "\\n\",\"stream\":\"");
  text_str(&t, stream == OUT ? "stdout\"" : "stderr\"");
  text_str(&t, s->log.extra);
  text_str(&t, ",\"time\":\"");
  text_str(&t, now.time);
  text_str(&t, "\"}\n");
  now.tail_length = t.overflow ? 0 : (size_t)(t.at - now.tail);
  return now;
}

/* A piece of a line, without its end. */
static void put_piece(struct shim *s, int stream, const uint8_t *data, size_t length, const char *now) {
  if (!s->log.cut[stream])
    memcpy(s->log.time[stream], now, sizeof s->log.time[stream]);
  s->log.cut[stream] = true;
  put_record(s, stream, data, length, false, s->log.time[stream]);
}

static void carry(struct shim *s, int stream, const uint8_t *data, size_t length) {
  memcpy(s->log.carry[stream] + s->log.carried[stream], data, length);
  s->log.carried[stream] += (uint32_t)length;
}

/* Takes up to the end of a line or LOG_LINE_MAX from data; returns how much. */
static size_t take_line(struct shim *s, int stream, const uint8_t *data, size_t length, const struct moment *now) {
  size_t room = LOG_LINE_MAX - s->log.carried[stream];
  const uint8_t *newline = memchr(data, '\n', length < room ? length : room);
  size_t taken = newline ? (size_t)(newline - data) : length < room ? length : room;
  bool full = !newline && taken == room;
  const uint8_t *line = data;
  size_t line_length = taken;
  if (s->log.carried[stream] || (!newline && !full)) {
    carry(s, stream, data, taken);
    line = s->log.carry[stream];
    line_length = s->log.carried[stream];
  }
  if (!newline && !full)
    return taken;
  s->log.carried[stream] = 0;
  if (full) {
    put_piece(s, stream, line, line_length, now->time);
    return taken;
  }
  if (s->log.cut[stream])
    put_record(s, stream, line, line_length, true, s->log.time[stream]);
  else
    put_line(s, stream, line, line_length, now);
  s->log.cut[stream] = false;
  return taken + 1;
}

void log_output(struct shim *s, int stream, const uint8_t *data, size_t length) {
  if (s->log.fd < 0)
    return;
  struct moment now = this_moment(s, stream);
  while (length) {
    bool fresh = now.tail_length && !s->log.carried[stream] && !s->log.cut[stream];
    size_t n = fresh ? put_plain_lines(s, data, length, &now) : 0;
    if (n < length)
      n += take_line(s, stream, data + n, length - n, &now);
    data += n;
    length -= n;
  }
  flush(s);
}

/* The rest of a last line that has no newline. */
void log_finish(struct shim *s) {
  char now[40];
  if (s->log.fd < 0)
    return;
  log_time(now, sizeof now, clock_ns(CLOCK_REALTIME));
  for (int i = 0; i < 2; i++)
    if (s->log.carried[i])
      put_piece(s, i, s->log.carry[i], s->log.carried[i], now);
  flush(s);
  close_fd(&s->log.fd);
}
