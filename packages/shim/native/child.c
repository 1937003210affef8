/* The child: runs its side of the program and becomes the container's process. Nothing here returns to main. */
#include "shim.h"
#include "sync.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void tell(struct shim *s, uint32_t type, uint32_t index, uint32_t error, const char *step) {
  struct sync_message m = {.type = type, .index = index, .error = error};
  strncpy(m.step, step, sizeof m.step - 1);
  if (send(s->child_sync, &m, sizeof m, MSG_NOSIGNAL) < 0)
    _exit(1); /* the shim is gone */
}

/* Takes what the shim has opened meanwhile. True if the shim wants to hear when the turn is over. */
static bool await_turn(struct shim *s) {
  struct sync_message m;
  for (;;) {
    int fd = -1;
    ssize_t n = receive_sync(s->child_sync, &m, &fd);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      _exit(1);
    if (m.type != SYNC_SLOT)
      return !m.index;
    close_fd(&s->slots[m.index]);
    s->slots[m.index] = fd;
  }
}

/*
 * The child dies with the shim. setresuid(2) clears the setting, so `user` calls this again. If the shim died before
 * the call, its end of the socket is closed: descriptors go before the death signal is sent (do_exit).
 */
static void die_with_parent(struct shim *s) {
  if (s->handover)
    return; /* it is to outlive us; until it is handed over, it ends when it reads end-of-file */
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  struct pollfd p = {.fd = s->child_sync, .events = 0};
  if (poll(&p, 1, 0) > 0)
    _exit(1);
}

static int send_descriptors(struct shim *s, uint32_t type, const int *fds, size_t count) {
  struct sync_message m = {.type = type};
  s->step = "sendmsg";
  return send_sync(s->child_sync, &m, fds, count);
}

int send_console(struct shim *s, int master, int slave) {
  return send_descriptors(s, SYNC_CONSOLE, (int[]){master, slave}, 2);
}

void announce_exec(struct shim *s) {
  tell(s, SYNC_EXEC, 0, 0, "");
}

/* Into the sorted list. Few are open: a library's sort would touch more memory than they are. */
static void keep_open(int *keepers, int *n, int fd) {
  if (fd < 0)
    return;
  int at = (*n)++;
  for (; at > 0 && keepers[at - 1] > fd; at--)
    keepers[at] = keepers[at - 1];
  keepers[at] = fd;
}

/* Closes everything but what the child's operations use: the shim's sockets, logs and directories are not for it. */
static void close_foreign(struct shim *s) {
  int keepers[5 + 3 + SLOTS], n = 0;
  keep_open(keepers, &n, s->child_sync);
  keep_open(keepers, &n, s->join_pidfd);
  keep_open(keepers, &n, s->join_root);
  keep_open(keepers, &n, s->fifo);
  keep_open(keepers, &n, s->criu_end);
  for (int i = 0; i < 3; i++)
    keep_open(keepers, &n, s->child_stdio[i]);
  for (int i = 0; i < (int)SLOTS; i++)
    keep_open(keepers, &n, s->slots[i]);
  unsigned from = 3;
  if (s->preserved) {
    close(CALLER_FD);
    from = PRESERVED_FROM + s->preserved;
  }
  for (int i = 0; i < n; i++) {
    if (keepers[i] < (int)from)
      continue;
    if ((unsigned)keepers[i] > from)
      close_range(from, (unsigned)keepers[i] - 1, 0);
    from = (unsigned)keepers[i] + 1;
  }
  close_range(from, UINT_MAX, 0);
}

static void reset_signals(void) {
  sigset_t none;
  default_signals();
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Root of the new user namespace, where the map of the host side has just made 0 valid. */
static void become_mapped_root(struct shim *s) {
  (void)!setresgid(0, 0, 0);
  (void)!setresuid(0, 0, 0);
  die_with_parent(s);
}

/* Behind the gate nobody listens any more; runc writes the same to the process's stderr. */
static _Noreturn void die_alone(struct shim *s, int error) {
  char line[256];
  struct text t = text_in(line, sizeof line);
  const char *why = strerrordesc_np(error);
  bool is_exec = strcmp(s->step, "execve") == 0;
  text_str(&t, "exec ");
  text_str(&t, is_exec ? (const char *)s->scratch : s->step);
  text_str(&t, ": ");
  /* As Go writes it: "exec format error". */
  if (why && *why) {
    char first = (char)tolower((unsigned char)*why);
    text_bytes(&t, &first, 1);
    text_str(&t, why + 1);
  }
  text_str(&t, "\n");
  write_all(STDERR_FILENO, line, (size_t)(t.at - line));
  _exit(1);
}

static void run_op(struct shim *s, uint32_t i) {
  const struct op *o = &s->program.ops[i];
  s->step = "";
  int error;
  if (o->code == OP_WAIT_START || o->code == OP_GATE)
    close_fd(&s->empty); /* who waits keeps nothing open that the process will not have */
  switch (o->code) {
  case OP_WAIT_START:
    tell(s, SYNC_READY, i, 0, "");
    await_turn(s);
    return;
  case OP_GATE:
    error = prepare_exec(s, &s->program.ops[s->program.count - 1]);
    if (!error) {
      tell(s, SYNC_READY, i, 0, "");
      error = op_gate(s);
    }
    break;
  case OP_HOLD:
    tell(s, SYNC_HELD, i, 0, "");
    for (;;)
      await_turn(s);
  default:
    error = child_op(s, o);
  }
  if (!error && (o->code == OP_USER || (o->code == OP_ENTER && op_u64(o, 0) & CLONE_NEWUSER)))
    die_with_parent(s);
  if (!error)
    return;
  if (s->gated)
    die_alone(s, error);
  tell(s, o->optional ? SYNC_WARNING : SYNC_FAILED, i, (uint32_t)error, s->step);
  if (!o->optional)
    _exit(1);
}

_Noreturn void child_main(struct shim *s, int sync, uint32_t next) {
  s->child_sync = sync;
  die_with_parent(s);
  close_foreign(s);
  reset_signals();
  umask(0);
  bool own_user_ns = s->clone_flags & CLONE_NEWUSER;
  for (uint32_t i = 0; i < s->joining_count; i++)
    own_user_ns = own_user_ns || s->joining[i].type == CLONE_NEWUSER;
  if (!(s->clone_flags & CLONE_NEWUSER))
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* processes of a joined namespace must not look into us before exec */
  for (uint32_t i = next; i < s->program.count;) {
    while (i < s->program.count && s->program.ops[i].side == SIDE_HOST)
      i++;
    if (i == s->program.count)
      break;
    bool is_awaited = await_turn(s);
    if (own_user_ns)
      become_mapped_root(s);
    own_user_ns = false;
    for (; i < s->program.count && s->program.ops[i].side == SIDE_CHILD; i++)
      run_op(s, i);
    if (is_awaited)
      tell(s, SYNC_TURN, i, 0, "");
  }
  _exit(0);
}
