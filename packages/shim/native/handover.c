/*
 * `ctr-shim run`: the shim of an OCI runtime. It is a child of the runtime, talks with it on descriptor 3, and the
 * process it makes is the caller's: it has the caller's stdio or a terminal whose master goes to a console socket, and
 * when the shim leaves, the process is re-parented to the caller's subreaper and waits at its gate for `start`. In the
 * foreground the shim stays, relays the terminal and reports the exit.
 */
#include "shim.h"
#include "sys.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

int run_for_caller(struct shim *s) {
  char *argv[] = {"ctr-shim", "run", NULL};
  int error = seal_binary(argv);
  if (error)
    return complain("seal the binary", error);
  prctl(PR_SET_NAME, "ctr-shim"); /* after fexecve it would be a number */
  fcntl(CALLER_FD, F_SETFD, FD_CLOEXEC);
  take_signals();
  ignore_signals();
  serve(s, CALLER_FD);
}

static int connect_to(struct shim *s, const char *path, int *fd) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  s->step = "path";
  if (strlen(path) >= sizeof address.sun_path)
    return ENAMETOOLONG;
  strcpy(address.sun_path, path);
  s->step = "connect";
  *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (*fd < 0)
    return errno;
  return connect(*fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
}

/* The connection is made early, so that a wrong path makes the start fail. */
int connect_console(struct shim *s, const char *path) {
  return connect_to(s, path, &s->console_socket);
}

/* Made here; what was there would be another's. Open for both ways: the gate sees no end-of-file, and who opens it for
 * writing finds a reader exactly while it waits. */
int open_fifo(struct shim *s, const char *path) {
  struct stat st;
  s->step = "mkfifo";
  if (mkfifo(path, 0600) < 0)
    return errno;
  s->step = "open";
  s->fifo = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (s->fifo < 0 || fstat(s->fifo, &st) < 0)
    return errno;
  return S_ISFIFO(st.st_mode) ? 0 : EINVAL;
}

/* As PID 1 of its namespace the process would not feel these; until the user's program runs, they mean "go away". */
static void leave_by_signal(int number) {
  _exit(128 + number);
}

/* Waits for the byte of `start`. From here on nobody listens to what the child tells. */
int op_gate(struct shim *s) {
  static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  struct sigaction leave = {.sa_handler = leave_by_signal}, standard = {.sa_handler = SIG_DFL};
  char byte;
  ssize_t n;
  for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
    sigaction(ending[i], &leave, NULL);
  s->gated = true;
  s->step = "gate";
  do
    n = read(s->fifo, &byte, 1);
  while (n < 0 && errno == EINTR);
  close_fd(&s->fifo);
  for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
    sigaction(ending[i], &standard, NULL);
  return n == 1 ? 0 : n < 0 ? errno : EPIPE;
}

/* As runc sends descriptors: a name, with the descriptor as SCM_RIGHTS. */
static int send_descriptor(int socket, int fd, const char *name) {
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec part = {.iov_base = (void *)(uintptr_t)name, .iov_len = strlen(name)};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *c = CMSG_FIRSTHDR(&header);
  *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(c), &fd, sizeof fd);
  return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* Who gets the process's pidfd, under the name that the caller wants. */
int op_pidfd_socket(struct shim *s, const struct op *o) {
  scoped_fd socket = -1;
  int error = connect_to(s, op_str(o, 0), &socket);
  if (error)
    return error;
  s->step = "pidfd_open";
  scoped_fd pidfd = sys_pidfd_open(s->child);
  if (pidfd < 0)
    return errno;
  s->step = "sendmsg";
  return send_descriptor(socket, pidfd, op_str(o, 1));
}

void copy_window_size(const struct shim *s) {
  struct winsize size;
  if (s->relay.master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
    ioctl(s->relay.master, TIOCSWINSZ, &size);
}

static void begin_relay(struct shim *s, int master) {
  struct relay *r = &s->relay;
  r->master = master;
  /* What reads a pipe or a file wants the lines as they were written. */
  struct termios ours;
  if (!isatty(STDOUT_FILENO) && tcgetattr(master, &ours) == 0) {
    ours.c_oflag &= ~(tcflag_t)ONLCR;
    (void)!tcsetattr(master, TCSANOW, &ours);
  }
  if (!s->rows || !s->columns)
    copy_window_size(s);
  if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
    return; /* no terminal on our side: a pipe or a file */
  struct termios raw = r->saved;
  cfmakeraw(&raw);
  r->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void restore_terminal(struct shim *s) {
  if (s->relay.is_raw)
    tcsetattr(STDIN_FILENO, TCSANOW, &s->relay.saved);
  s->relay.is_raw = false;
}

void hand_over_terminal(struct shim *s, int master, int slave) {
  close(slave); /* the child has its own */
  if (s->console_socket < 0) {
    begin_relay(s, master);
    return;
  }
  fcntl(master, F_SETFL, fcntl(master, F_GETFL) & ~O_NONBLOCK);
  int error = send_descriptor(s->console_socket, master, "/dev/ptmx");
  close(master);
  if (error)
    fail(s, s->next, (uint32_t)error, "console socket");
}

/* So that the user may reopen /dev/stdout. Refusals do not matter; /dev/null belongs to everyone. */
void give_stdio(const struct shim *s) {
  struct stat st;
  for (int fd = 0; fd < 3; fd++) {
    bool is_null = fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
    if (!is_null && s->stdio_uid && st.st_uid != s->stdio_uid)
      (void)!fchown(fd, s->stdio_uid, (gid_t)-1);
  }
}

/* One place down: the lowest is where the connection to the caller was. */
int install_preserved(const struct shim *s) {
  for (int i = 0; i < (int)s->preserved; i++)
    if (dup2(PRESERVED_FROM + i, 3 + i) < 0)
      return errno;
  return 0;
}

static void take_input(struct relay *r) {
  ssize_t n = read(STDIN_FILENO, r->input, sizeof r->input);
  if (n > 0) {
    r->offset = 0;
    r->length = (uint32_t)n;
  } else if (n == 0 || (errno != EINTR && errno != EAGAIN))
    r->input_ended = true;
}

static void give_input(struct relay *r) {
  ssize_t n = write(r->master, r->input + r->offset, r->length - r->offset);
  if (n > 0)
    r->offset += (uint32_t)n;
  if (r->offset == r->length || (n < 0 && errno != EAGAIN && errno != EINTR))
    r->offset = r->length = 0;
}

/* False at the end: nobody has the other side open. */
static bool pass_output(struct shim *s) {
  ssize_t n = read(s->relay.master, s->scratch, sizeof s->scratch);
  if (n > 0)
    (void)!write_all(STDOUT_FILENO, s->scratch, (size_t)n);
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Relays until the epoll set has something. poll(2), because stdin may be a regular file, which epoll refuses. */
void await_event(struct shim *s, int timeout_ms) {
  struct relay *r = &s->relay;
  struct pollfd p[3] = {
      {.fd = s->epoll, .events = POLLIN},
      {.fd = r->input_ended || r->length ? -1 : STDIN_FILENO, .events = POLLIN},
      {.fd = r->master, .events = (short)(POLLIN | (r->length ? POLLOUT : 0))},
  };
  if (poll(p, 3, timeout_ms) <= 0)
    return;
  if (p[1].revents)
    take_input(r);
  if (r->length)
    give_input(r);
  if (p[2].revents & (POLLIN | POLLHUP | POLLERR) && !pass_output(s) && p[2].revents & POLLHUP) {
    /* The process has closed its terminal. It may open it again, but not in a loop of ours. */
    struct timespec pause = {.tv_nsec = 10000000};
    nanosleep(&pause, NULL);
  }
}

/* START of a process that waits at its gate, or runs already. */
_Noreturn void release_child(void) {
  _exit(0);
}

/* A caller that is killed meanwhile has made nothing. A process that runs is not ours to kill. */
_Noreturn void caller_left(struct shim *s) {
  if (!s->foreground || s->phase != PHASE_RUNNING)
    abandon_task(s);
  restore_terminal(s);
  _exit(0);
}

_Noreturn void report_exit(struct shim *s) {
  uint8_t p[16];
  struct pollfd output = {.fd = s->relay.master, .events = POLLIN};
  while (output.fd >= 0 && poll(&output, 1, 0) > 0 && output.revents & POLLIN && pass_output(s))
    ;
  restore_terminal(s);
  put32(p, s->wait_status);
  put32(p + 4, s->oom_killed);
  put64(p + 8, s->finished_ns);
  send_all(s, FRAME_EXIT, p, sizeof p);
  _exit(0);
}
