/*
 * The program on the host side. Host operations run here, one after the other; a run of child operations is handed to
 * the child by SYNC_TURN, and its answer arrives through the epoll loop, so that requests are served meanwhile.
 */
#include "shim.h"
#include "sync.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Behind the child's run that begins at `from`. */
static uint32_t run_end(const struct shim *s, uint32_t from) {
  while (from < s->program.count && s->program.ops[from].side == SIDE_CHILD)
    from++;
  return from;
}

static uint32_t beside_end(const struct shim *s, uint32_t from) {
  while (from < s->program.count && s->program.ops[from].is_beside)
    from++;
  return from;
}

static void give_turn(struct shim *s, bool is_silent) {
  struct sync_message m = {.type = SYNC_TURN, .index = is_silent};
  /* If the child is gone, end-of-file follows and is handled there. */
  send(s->sync.fd, &m, sizeof m, MSG_NOSIGNAL);
}

/*
 * A child that ends with a turn unread leaves ECONNRESET, once, before what it has said (unix_release_sock and
 * __skb_try_recv_datagram of the kernel).
 */
static ssize_t receive_from_child(int fd, struct msghdr *header) {
  ssize_t n;
  do
    n = recvmsg(fd, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  return n;
}

/* A host operation that ran beside the child has failed: because the child has, if it has. */
static void blame_child(struct shim *s) {
  struct sync_message m;
  struct iovec part = {.iov_base = &m, .iov_len = sizeof m};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
  while (receive_from_child(s->sync.fd, &header) == (ssize_t)sizeof m)
    if (m.type == SYNC_FAILED) {
      m.step[sizeof m.step - 1] = 0;
      fail(s, m.index, m.error, m.step);
    }
}

static void run_host_op(struct shim *s, uint32_t i) {
  const struct op *o = &s->program.ops[i];
  s->step = "";
  int error = host_op(s, o);
  if (error && o->is_beside)
    blame_child(s);
  if (error && !o->optional)
    fail(s, i, (uint32_t)error, s->step);
  if (error)
    send_problem(s, s->starter, FRAME_WARNING, i, (uint32_t)error, s->step);
}

/* While we wait anyway. Without /proc, or a child that has ended, there is nothing to see. */
static void look_at_child(struct shim *s) {
  char path[32];
  struct text t = text_in(path, sizeof path);
  if (!s->start_time)
    read_start_time(s->child, &s->start_time);
  if (s->held_mounts >= 0 || !(s->clone_flags & CLONE_NEWNS) || s->restore || s->handover)
    return;
  text_str(&t, "/proc/");
  text_number(&t, (uint64_t)s->child);
  text_str(&t, "/ns/mnt");
  s->held_mounts = open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * Hands the run at `next` to the child. Behind it there may be operations that run meanwhile, here; then the child gets its
 * next run at once and need not say that it is through with the first.
 */
static void give_runs(struct shim *s) {
  for (;;) {
    uint32_t end = run_end(s, s->next), beside = beside_end(s, end);
    bool goes_on = beside > end && run_end(s, beside) > beside;
    give_turn(s, goes_on);
    for (uint32_t i = end; i < beside; i++)
      run_host_op(s, i);
    s->given = beside;
    if (!goes_on)
      break;
    s->next = beside;
  }
  look_at_child(s);
}

static void report_ready(struct shim *s) {
  uint8_t p[12];
  s->phase = PHASE_READY;
  read_start_time(s->child, &s->start_time);
  put32(p, (uint32_t)s->child);
  put64(p + 4, s->start_time);
  send_frame(s, s->starter, FRAME_READY, p, sizeof p);
}

static void report_done(struct shim *s) {
  uint8_t pid[4];
  put32(pid, (uint32_t)s->child);
  send_frame(s, s->starter, FRAME_DONE, pid, sizeof pid);
}

/* Runs host operations until the child's turn or the end. Does not return if one fails. */
void advance(struct shim *s) {
  while (s->next < s->program.count) {
    const struct op *o = &s->program.ops[s->next];
    if (o->side == SIDE_CHILD) {
      give_runs(s);
      return;
    }
    if (o->code == OP_HOLD) {
      report_done(s);
      return;
    }
    if (o->code == OP_PAUSE) {
      report_ready(s);
      return;
    }
    run_host_op(s, s->next);
    s->next++;
  }
  if (s->supervised) { /* behind `restore` */
    started(s);
    return;
  }
  report_done(s);
  _exit(0);
}

/* START: the program goes on behind wait_start or pause; the gate is not ours to open. */
void resume_start(struct shim *s) {
  s->phase = PHASE_STARTING;
  if (s->gated)
    return;
  if (s->program.ops[s->next].code != OP_PAUSE) {
    give_turn(s, false);
    return;
  }
  s->next++;
  advance(s);
}

static bool take_descriptors(struct msghdr *message, int *fds, size_t count) {
  struct cmsghdr *c = CMSG_FIRSTHDR(message);
  if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(count * sizeof *fds))
    return false;
  memcpy(fds, CMSG_DATA(c), count * sizeof *fds);
  return true;
}

static void take_console(struct shim *s, struct msghdr *message) {
  int fds[2];
  if (!take_descriptors(message, fds, 2))
    return;
  if (s->handover)
    hand_over_terminal(s, fds[0], fds[1]);
  else
    adopt_terminal(s, fds[0], fds[1]);
}

/* The child's end closed: it has executed the program, or died. */
static void child_closed(struct shim *s) {
  bool at_pause = s->handover && !s->gated;
  bool is_ended = s->phase == PHASE_READY && !at_pause; /* killed before START: reap() reports it as an exit */
  bool is_started = !is_ended && s->executing && !s->restore;
  if (is_started)
    started(s); /* who waits for it comes first */
  unwatch_close(s, &s->sync);
  if (is_ended || is_started)
    return;
  if (s->executing) {
    request_restore(s);
    return;
  }
  if (!s->supervised && s->next >= s->program.count)
    return;
  int status = (int)s->wait_status;
  char detail[64];
  struct text t = text_in(detail, sizeof detail);
  if (!s->child_reaped && waitpid(s->child, &status, 0) == s->child)
    s->child_reaped = true;
  text_str(&t, WIFSIGNALED(status) ? "killed by signal " : "exited with ");
  text_number(&t, (uint64_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
  oom_check(s);
  if (s->oom_killed)
    text_str(&t, ", out of memory");
  fail(s, s->next, ECHILD, detail);
}

static void on_message(struct shim *s, struct sync_message *m, struct msghdr *header) {
  m->step[sizeof m->step - 1] = 0;
  switch (m->type) {
  case SYNC_TURN:
    s->next = s->given;
    advance(s);
    return;
  case SYNC_WARNING:
    send_problem(s, s->starter, FRAME_WARNING, m->index, m->error, m->step);
    return;
  case SYNC_FAILED:
    fail(s, m->index, m->error, m->step);
  case SYNC_CONSOLE:
    take_console(s, header);
    return;
  case SYNC_READY:
    s->gated = s->handover;
    report_ready(s);
    return;
  case SYNC_HELD:
    report_done(s);
    return;
  case SYNC_EXEC:
    s->executing = true;
    return;
  }
}

void on_sync(struct shim *s, struct source *src, uint32_t events) {
  (void)events;
  while (src->fd >= 0) {
    struct sync_message m;
    union {
      char bytes[CMSG_SPACE(2 * sizeof(int))];
      struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = &m, .iov_len = sizeof m};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n = receive_from_child(src->fd, &header);
    if (n < 0 && errno == EAGAIN)
      return;
    if (n != (ssize_t)sizeof m) {
      child_closed(s);
      return;
    }
    on_message(s, &m, &header);
  }
}

static void undo(struct shim *s) {
  s->failed = true;
  if (s->child > 0 && !s->child_reaped) {
    kill(s->child, SIGKILL);
    while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  close_fd(&s->held_mounts);
  remove_cgroups(s);
  unlisten(s);
  restore_terminal(s);
}

/* Takes back everything that the program made, then reports, then ends. */
_Noreturn void fail(struct shim *s, uint32_t index, uint32_t error, const char *detail) {
  undo(s);
  for (struct conn *c = s->conns; c; c = c->next)
    send_problem(s, c, FRAME_FAILED, index, error, detail);
  for (struct conn *c = s->conns; c; c = c->next)
    close_gently(c->src.fd);
  _exit(1);
}

/* The starter of a task has gone: what the task holds goes with it. */
_Noreturn void abandon_task(struct shim *s) {
  undo(s);
  _exit(0);
}

/* Copies a string of the program that is needed after the program's memory has been given back. */
const char *keep(struct shim *s, const char *string) {
  char *copy = s->kept_end;
  size_t size = strlen(string) + 1;
  memcpy(copy, string, size);
  s->kept_end += size;
  return copy;
}
