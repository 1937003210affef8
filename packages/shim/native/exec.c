/* The terminal of the process and the last operation, exec. */
#include "shim.h"
#include "sys.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif

static int open_beneath_root(const struct shim *s, const char *path, uint64_t flags) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  return sys_openat2(s->root, path, &how);
}

/* Gives /dev/console of a new container to the pty, as runc does. An exec's container has its own. */
static int bind_console(struct shim *s, int slave) {
  s->step = "/dev/console";
  scoped_fd dev = open_beneath_root(s, "dev", O_PATH | O_DIRECTORY);
  if (dev < 0)
    return errno;
  scoped_fd made = openat(dev, "console", O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  scoped_fd target = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  scoped_fd tree = sys_open_tree(slave, "", AT_EMPTY_PATH);
  if (target < 0 || tree < 0)
    return errno;
  return sys_move_mount(tree, target) < 0 ? errno : 0;
}

/* Opens a pty in the container's own devpts; the image may have put anything there, so it is checked. */
int op_console(struct shim *s) {
  struct statfs fs;
  struct stat st;
  int unlock = 0;
  s->step = "/dev/pts/ptmx";
  if (s->root < 0)
    return EBADF;
  scoped_fd master = open_beneath_root(s, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (master < 0 || fstatfs(master, &fs) < 0 || fstat(master, &st) < 0)
    return errno;
  if (fs.f_type != DEVPTS_SUPER_MAGIC || st.st_rdev != makedev(5, 2))
    return ENODEV;
  s->step = "TIOCGPTPEER";
  if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
    return errno;
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0)
    return errno;
  s->pty_slave = slave;
  struct winsize size = {.ws_row = (uint16_t)s->rows, .ws_col = (uint16_t)s->columns};
  if (s->rows && s->columns && ioctl(master, TIOCSWINSZ, &size) < 0)
    return errno;
  s->step = "fchown";
  if (s->stdio_uid && fchown(slave, s->stdio_uid, (gid_t)-1) < 0)
    return errno;
  int error = s->entered ? 0 : bind_console(s, slave);
  return error ? error : send_console(s, master, slave);
}

/* What is not connected gets the container's /dev/null, not the host's: another inode, another device policy. */
static void use_own_null(int target) {
  struct stat st;
  scoped_fd null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
  if (null >= 0 && fstat(null, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
    dup2(null, target);
}

static int install_stdio(struct shim *s) {
  if (s->stdio_flags & STDIO_INHERIT && s->pty_slave < 0)
    return 0; /* in place since the caller started us */
  for (int i = 0; i < 3; i++) {
    int fd = s->pty_slave >= 0 ? s->pty_slave : s->child_stdio[i];
    if (fd < 0)
      use_own_null(i);
    else if (dup2(fd, i) < 0)
      return errno;
  }
  return 0;
}

/* As Go's exec.LookPath, which runc uses: EISDIR, EACCES, or why stat(2) failed. */
static int find_executable(const char *path) {
  struct stat st;
  if (stat(path, &st) < 0)
    return errno;
  if (S_ISDIR(st.st_mode))
    return EISDIR;
  if (!(st.st_mode & 0111))
    return EACCES;
  bool failed = faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0;
  /* EPERM: a filter that does not know faccessat2(2); execve will tell. */
  return failed && errno != ENOSYS && errno != EPERM ? errno : 0;
}

/* A name without a slash is searched in PATH of the new environment; what is there but unusable counts as not found. */
static int look_up(struct shim *s, const char *name, const char *search) {
  char *path = (char *)s->scratch;
  if (strchr(name, '/')) {
    s->step = "stat";
    if (strlen(name) >= PATH_MAX)
      return ENAMETOOLONG;
    strcpy(path, name);
    return find_executable(path);
  }
  s->step = "PATH";
  while (*search) {
    size_t n = strcspn(search, ":");
    struct text t = text_in(path, PATH_MAX);
    text_bytes(&t, n ? search : ".", n ? n : 1);
    text_str(&t, "/");
    text_str(&t, name);
    if (!t.overflow && find_executable(path) == 0)
      return 0;
    search += n + (search[n] == ':');
  }
  return ENOENT;
}

static const char *path_of(const struct op *o) {
  const uint8_t *at = o->f[1].bytes;
  const char *found = "";
  for (uint64_t i = 0; i < o->f[1].number; i++) {
    const char *entry = next_str(&at);
    if (strncmp(entry, "PATH=", 5) == 0)
      found = entry + 5;
  }
  return found;
}

char **string_vector(const struct field *f) {
  char **v = map_pages((f->number + 1) * sizeof *v);
  const uint8_t *at = f->bytes;
  for (uint64_t i = 0; v && i < f->number; i++)
    v[i] = (char *)(uintptr_t)next_str(&at);
  return v;
}

/*
 * Everything before execve. May run before `seccomp`, so that the filter need not allow it; the second call is free.
 * The shim is told here: if a filter kills the process at its execve, that is the process's end, not a failed start.
 */
int prepare_exec(struct shim *s, const struct op *o) {
  if (s->args)
    return 0;
  s->step = "dup2";
  int error = install_stdio(s);
  if (error)
    return error;
  s->step = "preserved descriptors";
  error = install_preserved(s);
  if (error)
    return error;
  error = look_up(s, s->program_path ? s->program_path : op_first(o, 0), path_of(o));
  if (error)
    return error;
  s->step = "mmap";
  char **args = string_vector(&o->f[0]);
  s->env = string_vector(&o->f[1]);
  if (!args || !s->env)
    return ENOMEM;
  /* All are close-on-exec already; this is the second lock. The sync socket must live until execve. */
  close_range(3 + s->preserved, UINT_MAX, CLOSE_RANGE_CLOEXEC);
  s->args = args;
  announce_exec(s);
  return 0;
}

int op_exec(struct shim *s, const struct op *o) {
  int error = prepare_exec(s, o);
  if (error)
    return error;
  s->step = "execve";
  execve((const char *)s->scratch, s->args, s->env);
  return errno;
}
