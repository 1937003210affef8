/*
 * `restore` instead of `exec`: the child becomes criu, which makes the process from its images as a sibling of its own
 * (--restore-sibling), so that it is our child too. When criu has ended well, that process takes the child's place, and
 * the host operations behind `restore` run.
 */
#include "criu.h"
#include "shim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif

/* Descriptors of criu: the stdio of the process and the network namespace made for it, which it inherits; its socket. */
enum { FIRST_STDIO = 3, OWN_NETWORK = 6, CRIU_SOCKET = 7, SAFE_FROM = 20 };

static int out_of_the_way(int fd) {
  return fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FROM);
}

/* The process's end of stream `i`; what it has not is /dev/null. */
static int stdio_end(const struct shim *s, int i, int null) {
  if (s->pty_slave >= 0)
    return s->pty_slave;
  if (s->stdio_flags & STDIO_INHERIT)
    return i;
  return s->child_stdio[i] < 0 ? null : s->child_stdio[i];
}

static int install_descriptors(struct shim *s) {
  int safe[5], count = s->criu_end < 0 ? 4 : 5;
  s->step = "/dev/null";
  scoped_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);
  s->step = "network namespace";
  scoped_fd network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (null < 0 || network < 0)
    return errno;
  s->step = "dup";
  for (int i = 0; i < count; i++) {
    safe[i] = out_of_the_way(i < 3 ? stdio_end(s, i, null) : i == 3 ? network : s->criu_end);
    if (safe[i] < 0)
      return errno;
  }
  int sync = out_of_the_way(s->child_sync), own_null = out_of_the_way(null);
  if (sync < 0 || own_null < 0)
    return errno;
  s->child_sync = sync;
  for (int i = 0; i < 3; i++)
    if (dup2(own_null, i) < 0)
      return errno;
  for (int i = 0; i < count; i++)
    if (dup2(safe[i], FIRST_STDIO + i) < 0)
      return errno;
  /* What was there before the last of them is closed, or closes itself. */
  null = network = -1;
  return close_range((unsigned)(FIRST_STDIO + count), ~0u, CLOSE_RANGE_CLOEXEC) < 0 ? errno : 0;
}

int op_restore(struct shim *s, const struct op *o) {
  int error = install_descriptors(s);
  if (error)
    return error;
  s->step = "mmap";
  char **args = string_vector(&o->f[1]), **env = string_vector(&o->f[2]);
  if (!args || !env)
    return ENOMEM;
  announce_exec(s);
  s->step = "execve";
  execve(args[0], args, env);
  return errno;
}

/* A terminal needs criu's socket protocol: its master comes with a message. */
int open_criu(struct shim *s) {
  int pair[2];
  if (s->restore->f[3].number == 0)
    return 0;
  s->step = "socketpair";
  if (s->restore->f[3].number > REQUEST_MAX)
    return EMSGSIZE;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return errno;
  s->criu.fd = pair[0];
  s->criu_end = pair[1];
  return 0;
}

static void take_terminal(struct shim *s, int master) {
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0 || fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
    fail(s, (uint32_t)(s->restore - s->program.ops), (uint32_t)errno, "terminal");
  if (s->handover)
    hand_over_terminal(s, master, slave);
  else
    adopt_terminal(s, master, slave);
}

static void on_criu(struct shim *s, struct source *src, uint32_t events) {
  struct criu_answer answer;
  (void)events;
  bool goes_on = criu_receive(src->fd, MSG_DONTWAIT, &answer);
  bool has_terminal = s->streams[OUT].src.fd >= 0 || s->relay.master >= 0;
  if (answer.terminal >= 0 && s->stdio_flags & STDIO_TTY && !has_terminal)
    take_terminal(s, answer.terminal);
  else
    close_fd(&answer.terminal);
  if (goes_on && !answer.is_final)
    return;
  /* criu ends when we do not listen any more. */
  s->restored = answer.succeeded ? answer.pid : 0;
  unwatch_close(s, src);
}

/* criu is being executed. */
void request_restore(struct shim *s) {
  const struct field *request = &s->restore->f[3];
  if (s->criu.fd < 0)
    return;
  s->criu.ready = on_criu;
  /* If it does not take it, it ends, and that is handled. */
  (void)!send(s->criu.fd, request->bytes, request->number, MSG_NOSIGNAL | MSG_DONTWAIT);
  watch(s, &s->criu, EPOLLIN);
}

static int restored_pid(const struct shim *s, const struct op *o, pid_t *pid) {
  char digits[32];
  siginfo_t info;
  *pid = s->restored;
  if (o->f[3].number == 0) {
    int error = read_text(AT_FDCWD, op_str(o, 0), digits, sizeof digits);
    if (error)
      return error;
    unlink(op_str(o, 0));
    *pid = (pid_t)strtol(digits, NULL, 10);
  }
  if (*pid <= 1)
    return EINVAL;
  return waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? errno : 0;
}

/* criu has ended. */
void criu_ended(struct shim *s) {
  const struct op *o = s->restore;
  uint32_t index = (uint32_t)(o - s->program.ops);
  char detail[64];
  struct text t = text_in(detail, sizeof detail);
  while (s->criu.fd >= 0)
    on_criu(s, &s->criu, 0); /* its last words */
  s->restore = NULL;
  if (!WIFEXITED(s->wait_status) || WEXITSTATUS(s->wait_status)) {
    bool killed = WIFSIGNALED(s->wait_status);
    text_str(&t, killed ? "criu: killed by signal " : "criu: exited with ");
    text_number(&t, (uint64_t)(killed ? WTERMSIG(s->wait_status) : WEXITSTATUS(s->wait_status)));
    oom_check(s);
    if (s->oom_killed)
      text_str(&t, ", out of memory");
    fail(s, index, ECHILD, detail);
  }
  int error = restored_pid(s, o, &s->child);
  if (error)
    fail(s, index, (uint32_t)error, "process of criu");
  s->child_reaped = false;
  s->start_time = 0;
  s->wait_status = 0;
  s->next = index + 1;
  advance(s);
  /* It may have ended already, and nobody else tells. */
  reap(s);
  if (s->child_reaped && s->phase == PHASE_RUNNING)
    process_ended(s);
}
