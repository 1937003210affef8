/*
 * Attached clients: after ATTACH a connection is a raw stream. Each client has a buffer of RING_SIZE; when one is full,
 * the stream that it wants is not read until it takes bytes or leaves (stdio.c asks attach_room). So has the starter when it
 * gets output among its frames; frames wait behind what is in the buffer.
 */
#include "shim.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FRAME_HEADER 8u
#define ROOM_MIN 4096u /* smaller reads are not worth a wake-up */
/* A process that is quick has ended by then, and all of it is told at once: the daemon wakes up once, not three times. */
#define GATHER_MS 5u
#define GATHER_MAX (16u << 10)

static bool wants(const struct conn *c, int stream) {
  return !c->gone && c->attach & (stream == OUT ? ATTACH_STDOUT : ATTACH_STDERR);
}

/* How much of the stream may be read now, 0 if a client is behind. */
uint32_t attach_room(const struct shim *s, int stream) {
  uint32_t room = SCRATCH_SIZE;
  for (const struct conn *c = s->conns; c; c = c->next) {
    if (!wants(c, stream))
      continue;
    uint32_t free_bytes = RING_SIZE - c->ring_used;
    if (free_bytes < ROOM_MIN + FRAME_HEADER)
      return 0;
    if (free_bytes - FRAME_HEADER < room)
      room = free_bytes - FRAME_HEADER;
  }
  return room;
}

void forget_output(struct conn *c) {
  if (c->ring)
    munmap(c->ring, RING_SIZE);
  c->ring = NULL;
  c->ring_used = c->ring_head = 0;
}

static void lose(struct conn *c) {
  c->gone = true;
  forget_output(c);
}

static void ring_put(struct conn *c, const uint8_t *data, size_t length) {
  if (!c->ring)
    c->ring = map_pages(RING_SIZE);
  if (!c->ring) {
    lose(c);
    return;
  }
  uint32_t at = (c->ring_head + c->ring_used) % RING_SIZE;
  uint32_t first = RING_SIZE - at < length ? RING_SIZE - at : (uint32_t)length;
  memcpy(c->ring + at, data, first);
  memcpy(c->ring, data + first, length - first);
  c->ring_used += (uint32_t)length;
}

static void ring_flush(struct conn *c) {
  while (c->ring_used) {
    uint32_t piece = RING_SIZE - c->ring_head < c->ring_used ? RING_SIZE - c->ring_head : c->ring_used;
    ssize_t n = send(c->src.fd, c->ring + c->ring_head, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return;
    if (n <= 0) {
      lose(c);
      return;
    }
    c->ring_head = (c->ring_head + (uint32_t)n) % RING_SIZE;
    c->ring_used -= (uint32_t)n;
  }
  if (c->ring)
    munmap(c->ring, RING_SIZE);
  c->ring = NULL;
  c->ring_head = 0;
}

/* Sends at once what the socket takes; the rest goes into the ring, where attach_room has left space. */
static void put_output(struct shim *s, struct conn *c, const uint8_t header[FRAME_HEADER], const uint8_t *data,
                       uint32_t length) {
  size_t head = s->stdio_flags & STDIO_TTY && c->is_attached ? 0 : FRAME_HEADER, sent = 0;
  if (c->ring_used == 0 && !(c == s->starter && s->gather_ms)) {
    struct iovec parts[2] = {{.iov_base = (void *)(uintptr_t)header, .iov_len = head},
                             {.iov_base = (void *)(uintptr_t)data, .iov_len = length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(c->src.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      lose(c);
      return;
    }
    sent = n < 0 ? 0 : (size_t)n;
  }
  if (sent < head)
    ring_put(c, header + sent, head - sent);
  size_t skip = sent > head ? sent - head : 0;
  if (skip < length && !c->gone)
    ring_put(c, data + skip, length - skip);
}

void attach_output(struct shim *s, int stream, const uint8_t *data, uint32_t length) {
  uint8_t header[FRAME_HEADER] = {stream == OUT ? 1 : 2};
  put32be(header + 4, length);
  for (struct conn *c = s->conns, *next; c; c = next) {
    next = c->next;
    if (!wants(c, stream))
      continue;
    put_output(s, c, header, data, length);
    attach_update(s, c);
  }
  if (s->gather_ms && (!s->starter || s->starter->ring_used > GATHER_MAX))
    send_gathered(s);
}

/* A frame for the starter, behind the output that it has not taken. False if there is no room. */
bool queue_frame(struct shim *s, struct conn *c, const uint8_t *frame, uint32_t length) {
  if (RING_SIZE - c->ring_used < length)
    return false;
  ring_put(c, frame, length);
  attach_update(s, c);
  return true;
}

void starter_ready(struct shim *s, struct conn *c) {
  ring_flush(c);
  attach_update(s, c);
  update_streams(s);
}

/* From here on frames and output for a starter that gets both wait for each other, for a moment. */
void gather(struct shim *s) {
  if (s->starter && s->starter->attach && !s->starter->is_attached)
    s->gather_ms = now_ms() + GATHER_MS;
}

void send_gathered(struct shim *s) {
  if (!s->gather_ms)
    return;
  s->gather_ms = 0;
  if (s->starter)
    starter_ready(s, s->starter);
}

static void take_input(struct shim *s, struct conn *c) {
  ssize_t n = recv(c->src.fd, s->scratch, SCRATCH_SIZE, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n > 0) {
    if (c->attach & ATTACH_STDIN && input_is_open(s))
      input_write(s, s->scratch, (uint32_t)n);
    return;
  }
  c->input_ended = true;
  if (n < 0)
    lose(c);
  if (c->attach & ATTACH_STDIN && s->stdio_flags & STDIO_STDIN_ONCE && !(s->stdio_flags & STDIO_TTY))
    input_close(s);
}

/* Says to epoll what this client waits for; closes it when nothing is left. May free the client. */
void attach_update(struct shim *s, struct conn *c) {
  if (!c->is_attached) {
    watch(s, &c->src, EPOLLIN | (c->ring_used && !s->gather_ms ? EPOLLOUT : 0));
    return;
  }
  bool blocked = c->attach & ATTACH_STDIN && s->input_length > s->input_offset;
  if ((c->gone && c->input_ended) || (s->finished && !c->ring_used)) {
    close_conn(s, c);
    return;
  }
  /* EPOLLERR is always reported: with it alone, the peer's leaving is still noticed. */
  uint32_t events = c->gone ? 0 : EPOLLERR;
  if (!c->input_ended && !blocked)
    events |= EPOLLIN | EPOLLRDHUP;
  if (c->ring_used)
    events |= EPOLLOUT;
  watch(s, &c->src, events);
}

void attach_ready(struct shim *s, struct conn *c, uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP) && !c->input_ended && c->src.armed & EPOLLIN)
    take_input(s, c);
  if (events & (EPOLLHUP | EPOLLERR))
    lose(c);
  if (events & EPOLLOUT)
    ring_flush(c);
  /* A gone client may still have sent input that the process has not taken; it is read when there is room. */
  update_conns(s);
  update_streams(s);
}

void attach_begin(struct shim *s, struct conn *c, uint32_t flags) {
  c->is_attached = true;
  c->attach = flags;
  attach_update(s, c);
  if (s->expect_attach && --s->expect_attach == 0)
    end_expectation(s);
}

bool is_serving(const struct shim *s) {
  for (const struct conn *c = s->conns; c; c = c->next)
    if (c->is_attached || c->ring_used)
      return true;
  return false;
}

/* The end has come and these clients did not read in time: they lose the rest, the log does not. */
void drop_stuck(struct shim *s) {
  for (struct conn *c = s->conns; c; c = c->next)
    if (c->ring_used)
      lose(c);
}

/*
 * Closing a Unix socket with unread input gives the peer ECONNRESET in place of end-of-file: nothing more is let in,
 * and what is there is thrown away first.
 */
void close_gently(int fd) {
  char rest[512];
  shutdown(fd, SHUT_RDWR);
  while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0)
    ;
  close(fd);
}
