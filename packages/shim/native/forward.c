/*
 * TCP forwards. Each accepted connection has two ends; bytes go straight from one to the other through the shared
 * scratch buffer, and only what the receiving end does not take is kept with it. SCTP goes the same way, on one-to-one
 * sockets (sctp(7)): a message may become two, and all of them are of stream 0.
 */
#include "forward.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>

struct end {
  struct source src;
  struct pair *pair;
  uint8_t *pending; /* bytes for this end's socket that it has not taken, malloc'ed */
  uint32_t offset, length;
  bool input_ended;  /* its peer sends no more */
  bool output_ended; /* we send no more */
  bool connecting;
};

struct pair {
  struct end ends[2]; /* 0: the client, 1: the container */
  const struct forward *forward;
  struct pair *next, **link;
};

static bool parse(const char *text, uint32_t port, union address *a) {
  memset(a, 0, sizeof *a);
  if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
    a->v4.sin_family = AF_INET;
    a->v4.sin_port = htons((uint16_t)port);
    return true;
  }
  if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) != 1)
    return false;
  a->v6.sin6_family = AF_INET6;
  a->v6.sin6_port = htons((uint16_t)port);
  return true;
}

static void on_accept(struct shim *s, struct source *src, uint32_t events);

/* For socket(2): 0 is TCP. */
static int stream_protocol(const struct forward *f) {
  return f->protocol == IPPROTO_SCTP ? IPPROTO_SCTP : 0;
}

static int tcp_open(struct forward *f) {
  int one = 1;
  f->src.ready = on_accept;
  f->src.fd = socket(f->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, stream_protocol(f));
  if (f->src.fd < 0)
    return errno;
  setsockopt(f->src.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (f->address.any.sa_family == AF_INET6)
    setsockopt(f->src.fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (bind(f->src.fd, &f->address.any, address_length(&f->address)) < 0)
    return errno;
  /* Listening at once is what reserves the port: two sockets that do not listen may share it. */
  return listen(f->src.fd, SOMAXCONN) < 0 ? errno : 0;
}

static bool is_udp(const struct forward *f) {
  return f->protocol == IPPROTO_UDP;
}

static int open_forward(struct shim *s, uint32_t protocol, const union address *address, const union address *target) {
  struct forward *f = calloc(1, sizeof *f);
  if (!f)
    return ENOMEM;
  *f = (struct forward){.src = {.fd = -1}, .protocol = protocol, .address = *address, .target = *target};
  s->step = "bind";
  int error = is_udp(f) ? udp_open(f) : tcp_open(f);
  if (error) {
    close_fd(&f->src.fd);
    free(f);
    /* Without SCTP in the kernel no program here could call, or have the port. */
    return error == EPROTONOSUPPORT && protocol == IPPROTO_SCTP ? 0 : error;
  }
  f->next = s->forwards;
  s->forwards = f;
  return 0;
}

int forward_open(struct shim *s, const struct op *o) {
  union address address, target;
  s->step = "address";
  if (!parse(op_str(o, 1), op_u32(o, 2), &address) || !parse(op_str(o, 3), op_u32(o, 4), &target))
    return EINVAL;
  return open_forward(s, op_u32(o, 0), &address, &target);
}

/* From now on connections are served; those made before have waited in the backlog. */
void forward_start(struct shim *s) {
  for (struct forward *f = s->forwards; f; f = f->next)
    watch(s, &f->src, EPOLLIN);
}

static void close_pair(struct shim *s, struct pair *p) {
  *p->link = p->next;
  if (p->next)
    p->next->link = p->link;
  for (int i = 0; i < 2; i++) {
    unwatch_close(s, &p->ends[i].src);
    free(p->ends[i].pending);
  }
  free(p);
  forward_start(s); /* a listener may have been muted for want of descriptors */
}

static struct end *other(struct end *e) {
  return e == &e->pair->ends[0] ? &e->pair->ends[1] : &e->pair->ends[0];
}

/* Sends to this end's socket, keeps the rest. False if the socket is dead. */
static bool put(struct end *e, const uint8_t *data, size_t length) {
  ssize_t n = send(e->src.fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR)
    return false;
  size_t done = n < 0 ? 0 : (size_t)n;
  if (done == length)
    return true;
  e->pending = malloc(length - done);
  if (!e->pending)
    return false;
  memcpy(e->pending, data + done, length - done);
  e->offset = 0;
  e->length = (uint32_t)(length - done);
  return true;
}

static bool flush(struct end *e) {
  ssize_t n = send(e->src.fd, e->pending + e->offset, e->length - e->offset, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  e->offset += (uint32_t)n;
  if (e->offset < e->length)
    return true;
  free(e->pending);
  e->pending = NULL;
  e->offset = e->length = 0;
  return true;
}

/* Moves what `from` has to offer. False if either socket is dead. */
static bool transfer(struct shim *s, struct end *from) {
  ssize_t n = recv(from->src.fd, s->scratch, SCRATCH_SIZE, MSG_DONTWAIT);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  if (n == 0) {
    from->input_ended = true;
    return true;
  }
  return put(other(from), s->scratch, (size_t)n);
}

static bool connected(struct end *e) {
  int error = 0;
  socklen_t size = sizeof error;
  e->connecting = false;
  return getsockopt(e->src.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static void arm(struct shim *s, struct end *e) {
  const struct end *to = other(e);
  bool may_read = !e->input_ended && !to->pending && !to->connecting && !e->connecting;
  watch(s, &e->src, (may_read ? EPOLLIN : 0u) | (e->pending || e->connecting ? EPOLLOUT : 0u));
}

/* Passes an end-of-file on once everything before it has gone out. */
static void pass_end(struct end *from) {
  struct end *to = other(from);
  if (!from->input_ended || to->pending || to->output_ended)
    return;
  shutdown(to->src.fd, SHUT_WR);
  to->output_ended = true;
}

static void on_end(struct shim *s, struct source *src, uint32_t events) {
  struct end *e = (struct end *)src;
  struct pair *p = e->pair;
  bool alive = !(events & EPOLLERR);
  if (alive && e->connecting && events & (EPOLLOUT | EPOLLHUP))
    alive = connected(e);
  if (alive && events & EPOLLOUT && e->pending)
    alive = flush(e);
  if (alive && events & (EPOLLIN | EPOLLHUP) && src->armed & EPOLLIN)
    alive = transfer(s, e);
  else if (events & EPOLLHUP)
    alive = false;
  for (int i = 0; alive && i < 2; i++)
    pass_end(&p->ends[i]);
  if (!alive || (p->ends[0].output_ended && p->ends[1].output_ended)) {
    close_pair(s, p);
    return;
  }
  arm(s, &p->ends[0]);
  arm(s, &p->ends[1]);
}

static int dial(const struct forward *f) {
  const union address *target = &f->target;
  int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, stream_protocol(f));
  if (fd >= 0 && connect(fd, &target->any, address_length(target)) < 0 && errno != EINPROGRESS)
    close_fd(&fd);
  return fd;
}

static void on_accept(struct shim *s, struct source *src, uint32_t events) {
  struct forward *f = (struct forward *)src;
  int one = 1;
  (void)events;
  int fds[2] = {accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), -1};
  if (fds[0] < 0) {
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
      watch(s, src, 0); /* out of descriptors: until a connection ends */
    return;
  }
  fds[1] = dial(f);
  struct pair *p = fds[1] < 0 ? NULL : calloc(1, sizeof *p);
  if (!p) {
    close_fd(&fds[0]);
    close_fd(&fds[1]);
    return;
  }
  for (int i = 0; i < 2; i++) {
    p->ends[i] = (struct end){.src = {.ready = on_end, .fd = fds[i]}, .pair = p, .connecting = i == 1};
    setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  p->forward = f;
  p->next = s->pairs;
  p->link = &s->pairs;
  if (p->next)
    p->next->link = &p->next;
  s->pairs = p;
  arm(s, &p->ends[0]);
  arm(s, &p->ends[1]);
}

/* What goes through it by way of us; nobody answers at the old target any more. */
static void cut(struct shim *s, struct forward *f) {
  if (is_udp(f))
    udp_sweep(s, f, UINT64_MAX);
  for (struct pair *p = s->pairs, *next; p; p = next) {
    next = p->next;
    if (p->forward == f)
      close_pair(s, p);
  }
}

static struct forward **find(struct shim *s, uint32_t protocol, const union address *address) {
  struct forward **link = &s->forwards;
  while (*link && ((*link)->protocol != protocol || !same_address(&(*link)->address, address)))
    link = &(*link)->next;
  return link;
}

/* FORWARD: the port leads there from now on, whether it was published before or not. */
int forward_set(struct shim *s, uint32_t protocol, const union address *address, const union address *target) {
  if (s->phase == PHASE_EXITED)
    return ESRCH;
  struct forward *f = *find(s, protocol, address);
  if (f && same_address(&f->target, target))
    return 0;
  if (f) {
    cut(s, f);
    f->target = *target;
    return 0;
  }
  int error = open_forward(s, protocol, address, target);
  if (!error && s->phase == PHASE_RUNNING && s->forwards)
    watch(s, &s->forwards->src, EPOLLIN);
  return error;
}

/* UNFORWARD: the port is free when this returns, if it was ours. */
void forward_close(struct shim *s, uint32_t protocol, const union address *address) {
  struct forward **link = find(s, protocol, address), *f = *link;
  if (!f)
    return;
  cut(s, f);
  *link = f->next;
  unwatch_close(s, &f->src);
  free(f);
}

/* The end of the process: ports are free again; what it has sent last still reaches the clients. */
void forward_stop(struct shim *s) {
  for (struct forward *f = s->forwards, *next; f; f = next) {
    next = f->next;
    if (is_udp(f))
      udp_sweep(s, f, UINT64_MAX);
    unwatch_close(s, &f->src);
    free(f);
  }
  s->forwards = NULL;
  while (s->pairs) {
    struct end *from = &s->pairs->ends[1];
    do
      errno = 0;
    while (!other(from)->pending && !from->connecting && !from->input_ended && transfer(s, from) && !errno);
    close_pair(s, s->pairs);
  }
}

uint64_t forward_deadline(const struct shim *s) {
  return s->udp_sweep_ms;
}

void forward_tick(struct shim *s) {
  uint64_t now = now_ms();
  if (!s->udp_sweep_ms || now < s->udp_sweep_ms)
    return;
  s->udp_sweep_ms = 0;
  for (struct forward *f = s->forwards; f; f = f->next)
    if (is_udp(f))
      udp_sweep(s, f, now);
}
