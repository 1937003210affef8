/*
 * The resident spawner: forks once per connection. It ignores the ends of its children, so the kernel reaps them; init adopts
 * those that outlive it, for it ends when its stdin does, with the daemon. Stages: seal the binary, listen, ready, serve.
 */
#include "shim.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int complain(const char *what, int error) {
  char line[256];
  struct text t = text_in(line, sizeof line);
  text_str(&t, "ctr-shim: ");
  text_str(&t, what);
  text_str(&t, ": ");
  text_str(&t, strerrorname_np(error));
  text_str(&t, "\n");
  write_all(STDERR_FILENO, line, (size_t)(t.at - line));
  return 1;
}

/*
 * Executes a sealed copy of this binary: a container that opens /proc/PID/exe of a shim gets a file that nobody can
 * write to (CVE-2019-5736). Returns only on error or if this is the copy.
 */
int seal_binary(char **argv) {
  scoped_fd self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (self < 0 || fstat(self, &st) < 0)
    return errno;
  if (fcntl(self, F_GET_SEALS) == SEALS)
    return 0;
  scoped_fd copy = memfd_create("ctr-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0)
    return errno;
  off_t offset = 0;
  while (offset < st.st_size)
    if (sendfile(copy, self, &offset, (size_t)(st.st_size - offset)) <= 0)
      return errno ? errno : EIO;
  if (fchmod(copy, 0500) < 0 || fcntl(copy, F_ADD_SEALS, SEALS) < 0)
    return errno;
#ifdef __SANITIZE_ADDRESS__
  fexecve(copy, argv, environ); /* ASAN_OPTIONS */
#else
  fexecve(copy, argv, (char *[]){NULL}); /* the daemon's environment must not show in a shim's /proc */
#endif
  return errno;
}

/* Binds by the last component: sun_path has 108 bytes, the directory may be deeper. */
static int listen_at(const char *path) {
  char dir[PATH_MAX];
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t n = slash ? (size_t)(slash - path) : 0;
  if (n >= sizeof dir || strlen(name) >= sizeof address.sun_path)
    return -ENAMETOOLONG;
  memcpy(dir, path, n);
  dir[n] = 0;
  strcpy(address.sun_path, name);
  if (n && chdir(dir) < 0)
    return -errno;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  unlink(name);
  umask(0177);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0 || chdir("/") < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  umask(0);
  return fd;
}

/* What the caller has ignored, a process would ignore too: execve(2) resets handlers only. */
void take_signals(void) {
  for (int i = 1; i < NSIG; i++)
    signal(i, SIG_DFL); /* EINVAL for SIGKILL, SIGSTOP and libc's own */
}

/* Whoever stops the daemon's whole service with SIGTERM does not mean the containers. SIGKILL does. */
static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/* All others have been at their defaults since `take_signals`. */
void ignore_signals(void) {
  for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
    signal(ignored[i], SIG_IGN);
}

void default_signals(void) {
  for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
    signal(ignored[i], SIG_DFL);
}

/* The process that a connection becomes: own session, no descriptor or directory of the daemon's. */
static _Noreturn void become_shim(struct shim *s, int connection) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0)
    _exit(1);
  for (int fd = 0; fd < 3; fd++)
    dup2(null, fd);
  close(null);
  /* The connection is made fd 3, everything above goes. */
  if (connection != 3 && dup3(connection, 3, O_CLOEXEC) < 0)
    _exit(1);
  close_range(4, UINT_MAX, 0);
  setsid();
  /* Until it has done something (be_no_spare): src/shim-process.ts knows it by its name, and it does not stay, stopped, when the spawner ends. */
  s->is_spare = true;
  prctl(PR_SET_NAME, "ctr-spare");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGCHLD, SIG_DFL); /* a shim does reap */
  ignore_signals();
  serve(s, 3);
}

int spawner(const char *socket_path, struct shim *s) {
  char *argv[] = {"ctr-shim", "spawner", (char *)(uintptr_t)socket_path, NULL};
  int error = seal_binary(argv);
  if (error)
    return complain("seal the binary", error);
  prctl(PR_SET_NAME, "ctr-spawner");
  take_signals();
  setsid(); /* a Ctrl-C in the daemon's terminal is not for us */
  int listener = listen_at(socket_path);
  if (listener < 0)
    return complain("listen", -listener);
  if (write_all(STDOUT_FILENO, "ready\n", 6))
    return 1;
  /* From here on words to a daemon that does not read are dropped. */
  fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
  signal(SIGCHLD, SIG_IGN); /* no zombies: wait(2) */
  int ruleset = watch_ruleset();
  for (;;) {
    struct pollfd p[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
                          {.fd = listener, .events = POLLIN},
                          {.fd = ruleset, .events = POLLIN}};
    if (poll(p, 3, -1) < 0)
      continue;
    char byte;
    if (p[0].revents && read(STDIN_FILENO, &byte, 1) <= 0)
      return 0;
    if (p[2].revents && ruleset_lost(ruleset))
      (void)!write(STDOUT_FILENO, "ruleset\n", 8);
    if (!(p[1].revents & POLLIN))
      continue;
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection < 0) { /* out of descriptors or memory, as a rule: the connection waits, and so do we */
      nanosleep(&(struct timespec){.tv_nsec = ACCEPT_PAUSE_MS * 1000000}, NULL);
      continue;
    }
    pid_t pid = fork();
    if (pid == 0)
      become_shim(s, connection);
    if (pid < 0)
      complain("fork", errno);
    close(connection);
  }
}
