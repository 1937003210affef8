/* OOM kills in the container's memory cgroup: an eventfd on v1, inotify on v2; counted, so that none is told twice.
 * Where v1 does not kill (memory.oom_control, oom_kill_disable), each notice that tasks wait for memory is told. */
#include "shim.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

/* The number behind `name` in memory.oom_control (v1) or memory.events (v2); 0 if it is not there. */
static uint64_t read_field(const struct shim *s, const char *name) {
  char text[512];
  ssize_t n = pread(s->oom_counter_fd, text, sizeof text - 1, 0);
  if (n <= 0)
    return 0;
  text[n] = 0;
  const char *p = strstr(text, name);
  return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

/* Since Linux 4.13 also on v1. */
static uint64_t read_count(const struct shim *s) {
  return read_field(s, "oom_kill ");
}

static void tell(struct shim *s) {
  uint8_t p[8];
  put64(p, clock_ns(CLOCK_REALTIME));
  send_all(s, FRAME_OOM, p, sizeof p);
}

static void on_oom(struct shim *s, struct source *src, uint32_t events) {
  char drain[1024];
  (void)events;
  if (read(src->fd, drain, sizeof drain) < 0 && errno != EAGAIN)
    unwatch_close(s, src);
  if (read_count(s) <= s->oom_seen && read_field(s, "oom_kill_disable ") && read_field(s, "under_oom "))
    tell(s);
  oom_check(s);
}

void oom_check(struct shim *s) {
  if (s->oom_counter_fd < 0)
    return;
  uint64_t count = read_count(s);
  if (count <= s->oom_seen)
    return;
  s->oom_seen = count;
  s->oom_killed = true;
  tell(s);
}

static int open_in(const char *dir, const char *name, int flags) {
  char path[PATH_MAX];
  struct text t = text_in(path, sizeof path);
  text_str(&t, dir);
  text_str(&t, name);
  if (t.overflow) {
    errno = ENAMETOOLONG;
    return -1;
  }
  return open(path, flags | O_CLOEXEC);
}

/* cgroup-v1/memory.rst, "OOM Control": "<eventfd> <fd of memory.oom_control>" */
static int watch_v1(struct shim *s, const char *path) {
  char line[48];
  struct text t = text_in(line, sizeof line);
  s->oom_counter_fd = open_in(path, "/memory.oom_control", O_RDONLY);
  scoped_fd control = open_in(path, "/cgroup.event_control", O_WRONLY);
  if (s->oom_counter_fd < 0 || control < 0)
    return errno;
  s->oom.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (s->oom.fd < 0)
    return errno;
  text_number(&t, (uint64_t)s->oom.fd);
  text_str(&t, " ");
  text_number(&t, (uint64_t)s->oom_counter_fd);
  return write(control, line, (size_t)(t.at - line)) < 0 ? errno : 0;
}

static int watch_v2(struct shim *s, const char *path) {
  char file[PATH_MAX];
  struct text t = text_in(file, sizeof file);
  text_str(&t, path);
  text_str(&t, "/memory.events");
  if (t.overflow)
    return ENAMETOOLONG;
  s->oom_counter_fd = open_in(path, "/memory.events", O_RDONLY);
  if (s->oom_counter_fd < 0)
    return errno;
  s->oom.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  return s->oom.fd < 0 || inotify_add_watch(s->oom.fd, file, IN_MODIFY) < 0 ? errno : 0;
}

int oom_watch(struct shim *s, const char *path, uint32_t version) {
  s->step = version == 1 ? "memory.oom_control" : "memory.events";
  s->oom.ready = on_oom;
  int error = version == 1 ? watch_v1(s, path) : watch_v2(s, path);
  if (!error) {
    s->oom_seen = read_count(s);
    watch(s, &s->oom, EPOLLIN);
    return 0;
  }
  close_fd(&s->oom.fd);
  close_fd(&s->oom_counter_fd);
  return error;
}
