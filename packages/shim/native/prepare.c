/*
 * Namespaces made while there is no program yet. A network namespace takes 0.6 ms to make, a sixth of a container's start;
 * a shim waits for its program anyway. Only what a container gets empty and as its own is made ahead: network and IPC.
 *
 * They are kept for PREPARED_MS only, as new ones begin with the host's settings (net.ipv4.conf, the buffers of TCP): who
 * changes these and starts a container finds them changed in it.
 */
#include "shim.h"

#include <fcntl.h>
#include <sched.h>

static const struct {
  uint64_t flag;
  const char *path;
} kinds[PREPARED_KINDS] = {{CLONE_NEWNET, "/proc/self/ns/net"}, {CLONE_NEWIPC, "/proc/self/ns/ipc"}};

static int open_namespace(size_t kind) {
  return open(kinds[kind].path, O_RDONLY | O_CLOEXEC);
}

/* Back to where the shim lives. A shim elsewhere would be of no use, nor safe: it ends, before it has begun. */
static void go_home(struct shim *s) {
  for (size_t i = 0; i < PREPARED_KINDS; i++)
    if (s->prepared[i].home >= 0 && setns(s->prepared[i].home, (int)kinds[i].flag) < 0)
      _exit(1);
}

void drop_prepared(struct shim *s) {
  for (size_t i = 0; i < PREPARED_KINDS; i++) {
    close_fd(&s->prepared[i].fresh);
    close_fd(&s->prepared[i].home);
  }
}

/* Makes those of `flags` that can be made ahead. Without success there are none: clone makes them. */
void prepare_namespaces(struct shim *s, uint64_t flags) {
  uint64_t wanted = 0;
  drop_prepared(s);
  for (size_t i = 0; i < PREPARED_KINDS; i++) {
    s->prepared[i].home = flags & kinds[i].flag ? open_namespace(i) : -1;
    if (s->prepared[i].home >= 0)
      wanted |= kinds[i].flag;
  }
  bool is_made = wanted && unshare((int)wanted) == 0;
  for (size_t i = 0; is_made && i < PREPARED_KINDS; i++)
    if (s->prepared[i].home >= 0)
      s->prepared[i].fresh = open_namespace(i);
  if (is_made)
    go_home(s);
  else
    drop_prepared(s);
}

/*
 * Enters those that a child with `flags` is to have; answers the flags that are left for clone3(2). Namespaces of another
 * user namespace belong to it: none of ours is.
 */
uint64_t enter_prepared(struct shim *s, uint64_t flags) {
  if (flags & CLONE_NEWUSER)
    return flags;
  for (size_t i = 0; i < PREPARED_KINDS; i++)
    if (flags & kinds[i].flag && s->prepared[i].fresh >= 0 && setns(s->prepared[i].fresh, (int)kinds[i].flag) == 0)
      flags &= ~kinds[i].flag;
  return flags;
}

void leave_prepared(struct shim *s) {
  go_home(s);
  drop_prepared(s);
}
