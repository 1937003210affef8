/*
 * ctr-shim: `ctr-shim spawner SOCKET` serves the daemon; each connection becomes a process of its own that runs
 * serve(): read the start message, run the program, supervise. `ctr-shim run` serves one caller on descriptor 3.
 * `ctr-shim --print-protocol` prints both tables.
 */
#include "criu.h"
#include "shim.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define START_HEADER 12u
#define START_TIMEOUT_MS 30000

void watch(struct shim *s, struct source *src, uint32_t events) {
  if (src->fd < 0 || src->armed == events)
    return;
  struct epoll_event e = {.events = events, .data.ptr = src};
  int op = !events ? EPOLL_CTL_DEL : src->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(s->epoll, op, src->fd, &e) == 0)
    src->armed = events;
}

void unwatch_close(struct shim *s, struct source *src) {
  watch(s, src, 0);
  close_fd(&src->fd);
}

/* The earliest of all deadlines counts; on_deadline() finds out whose it was. */
void set_deadline(struct shim *s, uint64_t at_ms) {
  if (!s->deadline_ms || at_ms < s->deadline_ms)
    s->deadline_ms = at_ms;
}

static bool is_readable(int fd, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, timeout_ms) > 0;
}

/* Takes exactly `length` bytes; false if the peer ends or stalls. */
static bool receive(int fd, uint8_t *data, size_t length) {
  while (length) {
    if (!is_readable(fd, START_TIMEOUT_MS))
      return false;
    ssize_t n = recv(fd, data, length, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    if (n <= 0)
      return false;
    data += n;
    length -= (size_t)n;
  }
  return true;
}

static void receive_header(int fd, uint8_t header[START_HEADER]) {
  if (!receive(fd, header, START_HEADER) || get32(header + 4) != PROTOCOL_VERSION)
    _exit(1);
}

/* Reads the start message, and prepare messages before it. A message cut short does nothing at all: the process just ends. */
static void receive_program(struct shim *s, int fd) {
  uint8_t header[START_HEADER];
  receive_header(fd, header);
  while (memcmp(header, PREPARE_MAGIC, 4) == 0) {
    if (!is_readable(fd, PREPARE_DELAY_MS))
      prepare_namespaces(s, get32(header + 8));
    if (!is_readable(fd, PREPARED_MS))
      drop_prepared(s);
    receive_header(fd, header);
  }
  s->program_size = get32(header + 8);
  if (memcmp(header, START_MAGIC, 4) != 0 || s->program_size == 0 || s->program_size > PROGRAM_MAX)
    _exit(1);
  s->program_data = map_pages(s->program_size);
  if (!s->program_data || !receive(fd, s->program_data, s->program_size))
    _exit(1);
  if (s->is_spare)
    prctl(PR_SET_PDEATHSIG, 0);
}

/* From here on something has been done, or may have been; a supervised one has said who it is. */
void be_no_spare(const struct shim *s) {
  if (s->is_spare)
    prctl(PR_SET_NAME, "ctr-shim");
}

static void decode_or_fail(struct shim *s) {
  uint32_t bad = 0, count = count_ops(s->program_data, s->program_size);
  if (!count)
    fail(s, 0, EBADMSG, "records");
  s->program.ops = map_pages(count * sizeof(struct op));
  s->kept = map_pages(s->program_size); /* kept strings are part of the program, so they fit */
  if (!s->program.ops || !s->kept)
    fail(s, 0, ENOMEM, "mmap");
  s->kept_end = s->kept;
  int error = decode_program(s->program_data, s->program_size, &s->program, &bad);
  if (error)
    fail(s, bad, (uint32_t)error, "decode");
  s->supervised = is_supervised(&s->program);
  if (!s->supervised) {
    drop_prepared(s); /* a task may hold what it has for long */
    be_no_spare(s);
  }
  s->handover = is_handover(&s->program);
  for (uint32_t i = 0; i < s->program.count; i++)
    if (s->program.ops[i].code == OP_RESTORE)
      s->restore = &s->program.ops[i];
  if (s->handover) {
    s->foreground = op_u32(&s->program.ops[0], 0) & HANDOVER_FOREGROUND;
    s->preserved = op_u32(&s->program.ops[0], 1);
  }
}

static void init_shim(struct shim *s) {
  s->written = s->dir = s->join_pidfd = s->join_root = s->own_pid_ns = s->pty_slave = s->root = s->empty = s->null = s->place = s->oom_counter_fd = -1;
  s->console_socket = s->fifo = s->relay.master = s->held_mounts = -1;
  s->criu_end = s->criu.fd = s->listener.fd = s->sync.fd = s->oom.fd = s->input.fd = s->log.fd = -1;
  for (int i = 0; i < 2; i++)
    s->streams[i] = (struct stream){.src.fd = -1, .index = i};
  for (int i = 0; i < 3; i++)
    s->child_stdio[i] = -1;
  for (int i = 0; i < (int)SLOTS; i++)
    s->slots[i] = -1;
  for (int i = 0; i < PREPARED_KINDS; i++)
    s->prepared[i] = (struct prepared){.fresh = -1, .home = -1};
}

/* SIGCHLD arrives by signalfd; orphans of the process (pid namespace of the host) are ours to reap. */
static int watch_children(struct shim *s) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (s->foreground)
    sigaddset(&set, SIGWINCH);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
    return errno;
  /* A process that is handed over is the caller's to reap, and so are its orphans. */
  if ((!s->handover || s->foreground) && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
    return errno;
  s->children = (struct source){.ready = on_children, .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (s->children.fd < 0)
    return errno;
  watch(s, &s->children, EPOLLIN);
  return 0;
}

static int wait_time(const struct shim *s) {
  uint64_t at = forward_deadline(s), now = now_ms();
  if (s->deadline_ms && (!at || s->deadline_ms < at))
    at = s->deadline_ms;
  if (s->gather_ms && (!at || s->gather_ms < at))
    at = s->gather_ms;
  if (s->accept_ms && (!at || s->accept_ms < at))
    at = s->accept_ms;
  if (!at)
    return -1;
  return at <= now ? 0 : at - now > 60000 ? 60000 : (int)(at - now);
}

_Noreturn void serve(struct shim *s, int connection) {
  init_shim(s);
  s->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (s->epoll < 0)
    _exit(1);
  receive_program(s, connection);
  s->starter = add_conn(s, connection);
  if (!s->starter)
    _exit(1);
  s->starter->is_starter = true;
  decode_or_fail(s);
  int error = watch_children(s);
  if (error)
    fail(s, 0, (uint32_t)error, "signalfd");
  advance(s);
  for (;;) {
    /* One event at a time: a handler may free any other source. */
    struct epoll_event e;
    int timeout = wait_time(s);
    if (s->relay.master >= 0) {
      await_event(s, timeout);
      timeout = 0;
    }
    int n = epoll_wait(s->epoll, &e, 1, timeout);
    if (n == 1) {
      struct source *src = e.data.ptr;
      src->ready(s, src, e.events);
    }
    on_deadline(s);
    forward_tick(s);
  }
}

int main(int argc, char **argv) {
  static struct shim shim;
  if (argc == 2 && strcmp(argv[1], "--print-protocol") == 0) {
    print_protocol();
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "spawner") == 0)
    return spawner(argv[2], &shim);
  if (argc == 2 && strcmp(argv[1], "run") == 0)
    return run_for_caller(&shim);
  if (argc == 2 && strcmp(argv[1], "wait") == 0) {
    /* The first process of a systemd scope, until the container's is in it. */
    while (read(STDIN_FILENO, shim.scratch, sizeof shim.scratch) > 0)
      ;
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "maps") == 0)
    return print_maps(argv[2]);
  if (argc == 3 && strcmp(argv[1], "criu") == 0)
    return criu_request(argv[2]);
  static const char usage[] =
      "usage: ctr-shim spawner SOCKET | ctr-shim run | ctr-shim criu PATH | ctr-shim maps PATH | ctr-shim wait | ctr-shim --print-protocol\n";
  write_all(STDERR_FILENO, usage, sizeof usage - 1);
  return 2;
}
