/* The container's cgroups: made by the program, emptied and removed at the end. Works on v1 and v2 paths alike. */
#include "shim.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define REMOVE_TRIES 60 /* with growing pauses: about two seconds in all */
#define DEPTH_MAX 32

/* True for a cgroup that holds us or init: a mistaken path must not make us sweep the machine. */
static bool is_foreign(const char *path) {
  char file[PATH_MAX], procs[4096];
  struct text t = text_in(file, sizeof file);
  text_str(&t, path);
  text_str(&t, "/cgroup.procs");
  if (t.overflow || read_text(AT_FDCWD, file, procs, sizeof procs))
    return false;
  for (const char *line = procs; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    long pid = strtol(line, NULL, 10);
    if (pid == 1 || pid == getpid())
      return true;
  }
  return false;
}

/* mkdir -p. Only the last directory is ours to remove. */
int make_cgroup(struct shim *s, const char *path) {
  char part[PATH_MAX];
  size_t length = strlen(path);
  s->step = "path";
  if (length >= sizeof part || path[0] != '/' || s->cgroup_count == sizeof s->cgroups / sizeof s->cgroups[0])
    return EINVAL;
  s->step = "mkdir";
  int error = mkdir(path, 0755) < 0 ? errno : 0;
  if (error == EEXIST && is_foreign(path))
    return EBUSY;
  if (error && error != EEXIST) {
    if (error != ENOENT)
      return error;
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
      if (path[i] && path[i] != '/')
        continue;
      part[i] = 0;
      if (mkdir(part, 0755) < 0 && errno != EEXIST)
        return errno;
      part[i] = path[i];
    }
  }
  s->cgroups[s->cgroup_count++] = keep(s, path);
  return 0;
}

/*
 * The v2 cgroup of process `pid`, which is below the one of its container at the path `container`. A container with
 * sub-cgroups that have controllers (systemd, a nested engine) has no place for processes in its own: EBUSY. Its init is
 * where there is one. -1 with errno EBUSY: no such cgroup. As runc 1.1, libcontainer/process_linux.go setnsProcess.start
 */
int open_cgroup_of(pid_t pid, const char *container) {
  char path[64], lines[4096];
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_number(&t, (uint64_t)pid);
  text_str(&t, "/cgroup");
  const char *own = read_text(AT_FDCWD, path, lines, sizeof lines) ? NULL : strstr(lines, "0::/");
  size_t length = strlen(container);
  for (size_t n = own ? strcspn(own += 3, "\n") : 0; n > 1; n--) {
    /* The longest beginning that the container's path ends with; what follows it is the way down. */
    if ((own[n] != '/' && own[n] != '\n' && own[n]) || n > length || memcmp(container + length - n, own, n) != 0)
      continue;
    char full[PATH_MAX];
    t = text_in(full, sizeof full);
    text_bytes(&t, container, length);
    text_bytes(&t, own + n, strcspn(own + n, "\n"));
    return t.overflow ? -1 : open(full, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  errno = EBUSY;
  return -1;
}

/* SIGKILL to every process listed in dir/cgroup.procs. True if there was one. */
static bool kill_procs(int dir) {
  char text[4096];
  bool found = false;
  scoped_fd fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
  ssize_t n;
  long pid = 0;
  while (fd >= 0 && (n = read(fd, text, sizeof text)) > 0)
    for (ssize_t i = 0; i < n; i++) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
        continue;
      }
      if (pid > 1 && pid != getpid()) {
        kill((pid_t)pid, SIGKILL);
        found = true;
      }
      pid = 0;
    }
  return found;
}

/* Kills in a cgroup and those below it; removes the directories when asked to. True while processes are left. */
static bool sweep(int parent, const char *name, bool remove, int depth) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 || depth > DEPTH_MAX ? NULL : fdopendir(fd);
  if (!dir) {
    close_fd(&fd);
    return false;
  }
  bool found = kill_procs(fd);
  struct dirent *e;
  while ((e = readdir(dir)))
    if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
      found = sweep(fd, e->d_name, remove, depth + 1) || found;
  closedir(dir);
  if (remove && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
    found = true;
  return found;
}

/* v2: one write kills the whole tree, forks under way included (Linux 5.14). */
static bool kill_tree(const char *path) {
  char file[PATH_MAX];
  struct text t = text_in(file, sizeof file);
  text_str(&t, path);
  text_str(&t, "/cgroup.kill");
  return !t.overflow && write_file(file, "1", 1) == 0;
}

/* SIGKILL to whatever is left in the cgroups. True if there was something. */
bool kill_cgroups(struct shim *s) {
  bool found = false;
  for (uint32_t i = 0; i < s->cgroup_count; i++) {
    kill_tree(s->cgroups[i]);
    found = sweep(AT_FDCWD, s->cgroups[i], false, 0) || found;
  }
  return found;
}

/*
 * Removes the cgroups, children first. A killed process keeps its v1 cgroup busy until it has been reaped: ours are
 * reaped here, others by their parents, which takes a moment. What stays is left to the daemon's reconcile.
 */
void remove_cgroups(struct shim *s) {
  struct timespec pause = {.tv_nsec = 500000};
  for (int i = 0; i < REMOVE_TRIES; i++) {
    bool busy = false;
    for (uint32_t k = 0; k < s->cgroup_count; k++) {
      if (rmdir(s->cgroups[k]) == 0 || errno == ENOENT)
        continue;
      kill_tree(s->cgroups[k]);
      busy = sweep(AT_FDCWD, s->cgroups[k], true, 0) || busy;
    }
    if (!busy)
      break;
    reap(s);
    nanosleep(&pause, NULL);
    if (pause.tv_nsec < 50000000)
      pause.tv_nsec += pause.tv_nsec / 2;
  }
  s->cgroup_count = 0;
}
