/* shim.sock and its connections: frames in, frames out (PROTOCOL.md, "Frames"). Sending never blocks. */
#include "forward.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define FRAME_HEADER 8u
#define PAYLOAD_MAX 44u /* longest request payload: FORWARD */
#define DETAIL_MAX 256u
#define CONNS_MAX 512u

static const struct sockaddr_un socket_name = {.sun_family = AF_UNIX, .sun_path = "shim.sock"};
static const struct sockaddr_un fresh_name = {.sun_family = AF_UNIX, .sun_path = "shim.sock.tmp"};

static void on_listen(struct shim *s, struct source *src, uint32_t events);

/* True if nobody listens behind the socket that is there. */
static bool is_stale(void) {
  scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return fd >= 0 && connect(fd, (const struct sockaddr *)&socket_name, sizeof socket_name) < 0 && errno == ECONNREFUSED;
}

static int bind_here(struct shim *s) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return errno;
  s->listener = (struct source){.ready = on_listen, .fd = fd};
  unlink(fresh_name.sun_path);
  umask(0177);
  int bound = bind(fd, (const struct sockaddr *)&fresh_name, sizeof fresh_name);
  int error = bound < 0 ? errno : 0;
  umask(0);
  if (!error && listen(fd, SOMAXCONN) < 0)
    error = errno;
  if (error)
    return error;
  /* Under its name only when it listens: ECONNREFUSED then always means a dead shim. */
  for (int i = 0;; i++) {
    s->owns_names = renameat2(AT_FDCWD, fresh_name.sun_path, AT_FDCWD, socket_name.sun_path, RENAME_NOREPLACE) == 0;
    if (s->owns_names)
      return 0;
    if (errno != EEXIST || i > 0)
      return errno;
    if (!is_stale())
      return EADDRINUSE;
    unlink(socket_name.sun_path);
  }
}

static int write_pid_file(struct shim *s) {
  char digits[24];
  struct text t = text_in(digits, sizeof digits);
  text_number(&t, (uint64_t)getpid());
  scoped_fd fd = openat(s->dir, "shim.pid", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  return fd < 0 ? errno : write_all(fd, digits, (size_t)(t.at - digits));
}

/*
 * runtime_dir. The directory is the daemon's to make. A daemon that gives up on a start renames the directory and
 * looks for a socket once more; so the path is checked after the bind: one of the two sees the other.
 */
int listen_in(struct shim *s, const char *path) {
  struct stat held, named;
  s->step = "open";
  s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (s->dir < 0 || fchdir(s->dir) < 0)
    return errno;
  s->step = "bind";
  int error = bind_here(s);
  if (error)
    return error;
  s->step = "shim.pid";
  error = write_pid_file(s);
  if (error)
    return error;
  be_no_spare(s);
  s->step = "renamed meanwhile";
  if (chdir("/") < 0 || fstat(s->dir, &held) < 0 || stat(path, &named) < 0)
    return errno;
  if (held.st_dev != named.st_dev || held.st_ino != named.st_ino)
    return ESTALE;
  watch(s, &s->listener, EPOLLIN);
  return 0;
}

void unlisten(struct shim *s) {
  if (s->listener.fd < 0)
    return;
  unwatch_close(s, &s->listener);
  unlinkat(s->dir, fresh_name.sun_path, 0);
  if (!s->owns_names)
    return; /* they are another shim's */
  unlinkat(s->dir, socket_name.sun_path, 0);
  unlinkat(s->dir, "shim.pid", 0);
}

/* A peer that lets its socket buffer fill up with control frames is cut off: nothing here waits for it. */
void send_frame(struct shim *s, struct conn *c, uint32_t type, const uint8_t *payload, uint32_t length) {
  uint8_t frame[FRAME_HEADER + 16 + DETAIL_MAX + 32] = {(uint8_t)type};
  if (!c || c->is_attached || FRAME_HEADER + length > sizeof frame)
    return;
  if (c->gone) {
    shutdown(c->src.fd, SHUT_RDWR); /* what it has may end within a frame: no other can follow */
    return;
  }
  put32be(frame + 4, length);
  if (length)
    memcpy(frame + FRAME_HEADER, payload, length);
  length += FRAME_HEADER;
  bool waits = c->ring_used || (c == s->starter && s->gather_ms);
  ssize_t n = waits ? 0 : send(c->src.fd, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  uint32_t sent = n > 0 ? (uint32_t)n : 0;
  bool queued = sent < length && c->attach && queue_frame(s, c, frame + sent, length - sent);
  if (sent < length && !queued)
    shutdown(c->src.fd, SHUT_RDWR);
}

void send_all(struct shim *s, uint32_t type, const uint8_t *payload, uint32_t length) {
  for (struct conn *c = s->conns; c; c = c->next)
    send_frame(s, c, type, payload, length);
}

void send_problem(struct shim *s, struct conn *c, uint32_t type, uint32_t index, uint32_t error, const char *detail) {
  uint8_t payload[16 + DETAIL_MAX];
  size_t n = strnlen(detail, DETAIL_MAX);
  put32(payload, index);
  put32(payload + 4, index < s->program.count ? s->program.ops[index].code : 0);
  put32(payload + 8, error);
  put32(payload + 12, (uint32_t)n);
  memcpy(payload + 16, detail, n);
  send_frame(s, c, type, payload, (uint32_t)(16 + n));
}

static void send_state(struct shim *s, struct conn *c) {
  uint8_t p[40];
  put32(p, (uint32_t)s->child);
  put64(p + 4, s->start_time);
  put64(p + 12, s->started_ns);
  put32(p + 20, s->phase);
  put32(p + 24, s->wait_status);
  put32(p + 28, s->oom_killed);
  put64(p + 32, s->finished_ns);
  send_frame(s, c, FRAME_STATE, p, sizeof p);
}

static void result(struct shim *s, struct conn *c, int error) {
  uint8_t p[4];
  put32(p, (uint32_t)error);
  send_frame(s, c, FRAME_RESULT, p, sizeof p);
}

static int signal_child(const struct shim *s, uint32_t number) {
  if (number == 0 || number > 64)
    return EINVAL;
  if (s->child <= 0 || s->child_reaped)
    return ESRCH;
  return kill(s->child, (int)number) < 0 ? errno : 0;
}

static void attach(struct shim *s, struct conn *c, uint32_t flags) {
  if (!s->has_stdio || flags == 0 || flags > 7) {
    result(s, c, s->has_stdio ? EINVAL : ENOTTY);
    return;
  }
  result(s, c, 0);
  attach_begin(s, c, flags);
}

static void start(struct shim *s, struct conn *c) {
  bool is_ours_no_more = s->handover && !s->foreground && (s->gated || s->phase == PHASE_RUNNING);
  if (is_ours_no_more) {
    result(s, c, 0);
    release_child();
  }
  if (s->phase != PHASE_READY) {
    result(s, c, EALREADY);
    return;
  }
  result(s, c, 0); /* STARTED or FAILED follows */
  resume_start(s);
}

/* 16 bytes: IPv6, or IPv4 as ::ffff:a.b.c.d. */
static union address address_at(const uint8_t *p, uint32_t port) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  union address a = {0};
  if (memcmp(p, mapped, sizeof mapped) == 0) {
    a.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    memcpy(&a.v4.sin_addr, p + sizeof mapped, sizeof a.v4.sin_addr);
    return a;
  }
  a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  memcpy(&a.v6.sin6_addr, p, sizeof a.v6.sin6_addr);
  return a;
}

static int forward(struct shim *s, const uint8_t *p, bool closes) {
  uint32_t protocol = get32(p), port = get32(p + 4);
  if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP) || port == 0 || port > UINT16_MAX)
    return EINVAL;
  union address address = address_at(p + 8, port);
  if (closes) {
    forward_close(s, protocol, &address);
    return 0;
  }
  uint32_t target_port = get32(p + 24);
  if (target_port == 0 || target_port > UINT16_MAX)
    return EINVAL;
  union address target = address_at(p + 28, target_port);
  return forward_set(s, protocol, &address, &target);
}

static void on_request(struct shim *s, struct conn *c, uint32_t type, const uint8_t *p, uint32_t length) {
  if (type == FRAME_SIGNAL && length == 4)
    result(s, c, signal_child(s, get32(p)));
  else if (type == FRAME_RESIZE && length == 8)
    result(s, c, resize_terminal(s, get32(p), get32(p + 4)));
  else if (type == FRAME_START && length == 0)
    start(s, c);
  else if (type == FRAME_ATTACH && length == 4)
    attach(s, c, get32(p));
  else if (type == FRAME_CLOSE_STDIN && length == 0) {
    if (s->input.fd >= 0 && !(s->stdio_flags & STDIO_TTY))
      input_close(s);
    result(s, c, 0);
  } else if (type == FRAME_LOG_REOPEN && length == 0)
    result(s, c, log_reopen(s));
  else if (type == FRAME_RESOLVER && length == 4)
    result(s, c, s->phase == PHASE_EXITED ? ESRCH : resolver_open(s, get32(p)));
  else if ((type == FRAME_FORWARD && length == 44) || (type == FRAME_UNFORWARD && length == 24))
    result(s, c, forward(s, p, type == FRAME_UNFORWARD));
  else
    close_conn(s, c);
}

/* Reads exactly one frame: what follows ATTACH is not ours to read here. */
static void on_conn(struct shim *s, struct source *src, uint32_t events) {
  struct conn *c = (struct conn *)src;
  if (c->is_attached) {
    attach_ready(s, c, events);
    return;
  }
  if (events & EPOLLOUT)
    starter_ready(s, c);
  if (!(events & ~(uint32_t)EPOLLOUT))
    return;
  uint32_t length = 0, need = FRAME_HEADER;
  if (c->in_length >= FRAME_HEADER)
    need += (uint32_t)c->in[4] << 24 | (uint32_t)c->in[5] << 16 | (uint32_t)c->in[6] << 8 | c->in[7];
  ssize_t n = recv(src->fd, c->in + c->in_length, need - c->in_length, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) {
    close_conn(s, c);
    return;
  }
  c->in_length += (uint32_t)n;
  if (c->in_length < FRAME_HEADER)
    return;
  length = (uint32_t)c->in[4] << 24 | (uint32_t)c->in[5] << 16 | (uint32_t)c->in[6] << 8 | c->in[7];
  if (length > PAYLOAD_MAX || !s->supervised) {
    close_conn(s, c);
    return;
  }
  if (c->in_length < FRAME_HEADER + length)
    return;
  c->in_length = 0;
  on_request(s, c, c->in[0], c->in + FRAME_HEADER, length);
}

struct conn *add_conn(struct shim *s, int fd) {
  struct conn *c = calloc(1, sizeof *c);
  if (!c)
    return NULL;
  c->src = (struct source){.ready = on_conn, .fd = fd};
  c->next = s->conns;
  s->conns = c;
  watch(s, &c->src, EPOLLIN);
  return c;
}

static void on_listen(struct shim *s, struct source *src, uint32_t events) {
  (void)events;
  uint32_t count = 0;
  for (const struct conn *c = s->conns; c; c = c->next)
    count++;
  int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd < 0) { /* out of descriptors or memory, as a rule */
    watch(s, src, 0);
    s->accept_ms = now_ms() + ACCEPT_PAUSE_MS;
    return;
  }
  struct conn *c = count < CONNS_MAX ? add_conn(s, fd) : NULL;
  if (c)
    send_state(s, c);
  else
    close(fd);
}

void close_conn(struct shim *s, struct conn *c) {
  struct conn **link = &s->conns;
  while (*link != c)
    link = &(*link)->next;
  *link = c->next;
  bool was_starter = c == s->starter;
  watch(s, &c->src, 0);
  close_gently(c->src.fd);
  forget_output(c);
  free(c);
  if (!was_starter)
    return;
  s->starter = NULL;
  if (s->handover)
    caller_left(s);
  if (!s->supervised)
    abandon_task(s);
  end_expectation(s);
}

void update_conns(struct shim *s) {
  for (struct conn *c = s->conns, *next; c; c = next) {
    next = c->next;
    if (c->is_attached)
      attach_update(s, c);
  }
}
