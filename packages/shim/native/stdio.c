/*
 * Stdio of the process: pipes, or a pty whose master the child sends. Output is read only when nobody who wants it is
 * behind (attach.c) and goes to the log and to the attached clients. Input comes from attached clients.
 */
#include "shim.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

static void on_output(struct shim *s, struct source *src, uint32_t events);
static void on_input_room(struct shim *s, struct source *src, uint32_t events);

static int make_pipe(struct shim *s, int fds[2], int ours) {
  if (pipe2(fds, O_CLOEXEC) < 0)
    return errno;
  if (fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0)
    return errno;
  /* So that the process may open /dev/stdout whatever its user is. */
  return fchown(fds[0], s->stdio_uid, s->stdio_gid) < 0 ? errno : 0;
}

int open_stdio(struct shim *s, const struct op *o) {
  s->stdio_flags = op_u32(o, 0);
  s->stdio_uid = op_u32(o, 1);
  s->stdio_gid = op_u32(o, 2);
  s->rows = op_u32(o, 3);
  s->columns = op_u32(o, 4);
  s->has_stdio = true;
  if (s->starter)
    s->starter->attach = (s->stdio_flags & STDIO_STARTER_OUT ? ATTACH_STDOUT : 0u) |
                         (s->stdio_flags & STDIO_STARTER_ERR ? ATTACH_STDERR : 0u);
  if (s->stdio_flags & STDIO_TTY)
    return 0;
  if (s->stdio_flags & STDIO_INHERIT) {
    give_stdio(s);
    return 0;
  }
  s->step = "pipe";
  for (int i = 0; i < 2; i++) {
    int fds[2];
    int error = make_pipe(s, fds, 0);
    if (error)
      return error;
    s->streams[i].src = (struct source){.ready = on_output, .fd = fds[0]};
    s->child_stdio[i + 1] = fds[1];
  }
  if (!(s->stdio_flags & STDIO_STDIN))
    return 0;
  int fds[2];
  int error = make_pipe(s, fds, 1);
  if (error)
    return error;
  s->child_stdio[0] = fds[0];
  s->input = (struct source){.ready = on_input_room, .fd = fds[1]};
  return 0;
}

void adopt_terminal(struct shim *s, int master, int slave) {
  s->pty_slave = slave;
  s->streams[OUT].src = (struct source){.ready = on_output, .fd = master};
  if (s->stdio_flags & STDIO_STDIN)
    s->input = (struct source){.ready = on_input_room, .fd = fcntl(master, F_DUPFD_CLOEXEC, 3)};
}

int resize_terminal(const struct shim *s, uint32_t rows, uint32_t columns) {
  struct winsize size = {.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};
  if (s->pty_slave < 0 && s->streams[OUT].src.fd < 0)
    return s->phase >= PHASE_EXITED ? ESRCH : ENOTTY;
  return ioctl(s->streams[OUT].src.fd, TIOCSWINSZ, &size) < 0 ? errno : 0;
}

/* Reads one piece of output and hands it on. Returns read(2)'s result; -1 with EAGAIN also while a client is behind. */
static ssize_t read_output(struct shim *s, struct stream *stream) {
  uint32_t room = attach_room(s, stream->index);
  if (room == 0) {
    errno = EAGAIN;
    return -1;
  }
  ssize_t n = read(stream->src.fd, s->scratch, room < SCRATCH_SIZE ? room : SCRATCH_SIZE);
  if (n > 0) {
    log_output(s, stream->index, s->scratch, (size_t)n);
    attach_output(s, stream->index, s->scratch, (uint32_t)n);
  }
  return n;
}

static void on_output(struct shim *s, struct source *src, uint32_t events) {
  (void)events;
  struct stream *stream = (struct stream *)src;
  ssize_t n = read_output(s, stream);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    update_streams(s);
    return;
  }
  /* 0: end of the pipe. EIO: end of the terminal, nobody has its other side open. */
  if (n <= 0)
    unwatch_close(s, src);
  update_streams(s);
  if (n <= 0)
    finish_if_drained(s);
}

/* Which streams may be read now. A hung-up descriptor cannot be muted in epoll, so a paused one is taken out. */
void update_streams(struct shim *s) {
  bool readable = s->phase >= PHASE_RUNNING && s->expect_attach == 0;
  for (int i = 0; i < 2; i++)
    watch(s, &s->streams[i].src, readable && attach_room(s, i) ? EPOLLIN : 0);
}

/* Takes what is in the pipes now, as far as clients allow. */
void drain_streams(struct shim *s) {
  for (int i = 0; i < 2; i++)
    while (s->streams[i].src.fd >= 0 && read_output(s, &s->streams[i]) > 0)
      ;
}

bool streams_ended(const struct shim *s) {
  return s->streams[OUT].src.fd < 0 && s->streams[ERR].src.fd < 0;
}

void stop_streams(struct shim *s) {
  for (int i = 0; i < 2; i++)
    unwatch_close(s, &s->streams[i].src);
}

bool input_is_open(const struct shim *s) {
  return s->input.fd >= 0 && !s->input_closing;
}

static void drop_input(struct shim *s) {
  unwatch_close(s, &s->input);
  s->input_length = s->input_offset = 0;
}

/* Ends the process's stdin once everything received has been written. */
void input_close(struct shim *s) {
  s->input_closing = true;
  if (s->input_length == s->input_offset)
    drop_input(s);
}

/* Writes to the process's stdin; what does not fit is kept, and no client is read until it has gone. */
void input_write(struct shim *s, const uint8_t *data, uint32_t length) {
  ssize_t n = write(s->input.fd, data, length);
  uint32_t done = n < 0 ? 0 : (uint32_t)n;
  if (done == length)
    return;
  if (!s->input_buffer)
    s->input_buffer = map_pages(SCRATCH_SIZE);
  if ((n < 0 && errno != EAGAIN && errno != EINTR) || !s->input_buffer) {
    drop_input(s); /* the process has closed its stdin */
    return;
  }
  memcpy(s->input_buffer, data + done, length - done);
  s->input_offset = 0;
  s->input_length = length - done;
  watch(s, &s->input, EPOLLOUT);
}

static void on_input_room(struct shim *s, struct source *src, uint32_t events) {
  (void)events;
  ssize_t n = write(src->fd, s->input_buffer + s->input_offset, s->input_length - s->input_offset);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n > 0)
    s->input_offset += (uint32_t)n;
  if (n <= 0)
    drop_input(s);
  else if (s->input_offset == s->input_length) {
    watch(s, src, 0);
    s->input_offset = s->input_length = 0;
    if (s->input_closing)
      drop_input(s);
  }
  update_conns(s);
}
