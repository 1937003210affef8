/*
 * Namespaces made while there is no program yet. A network namespace takes 0.6 ms to make, a sixth of a container's start;
 * a shim waits for its program anyway. Only what a container gets empty and as its own is made ahead: network and IPC.
 *
 * They are kept for PREPARED_MS only, as new ones begin with the host's settings (net.ipv4.conf, the buffers of TCP): who
 * changes these and starts a container finds them changed in it.
 */
#include "shim.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

static bool raise_loopback(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  scoped_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

/* The child brings it up itself, which takes a tenth of the time where it is up. */
static bool raises_loopback(const struct op *o) {
  struct {
    struct nlmsghdr header;
    struct ifinfomsg link;
  } request;
  if (o->code != OP_NETLINK || o->side != SIDE_CHILD || o->f[0].number < sizeof request)
    return false;
  memcpy(&request, o->f[0].bytes, sizeof request);
  return request.header.nlmsg_type == RTM_NEWLINK && request.link.ifi_index == 1 &&
         request.link.ifi_flags & request.link.ifi_change & IFF_UP;
}

/* A program that leaves it down gets no namespace where it is up. */
static bool suits(const struct shim *s, size_t kind) {
  bool is_like_new = kinds[kind].flag != CLONE_NEWNET || !s->has_loopback;
  for (uint32_t i = 0; !is_like_new && i < s->program.count; i++)
    is_like_new = raises_loopback(&s->program.ops[i]);
  return is_like_new;
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
  s->has_loopback = is_made && wanted & CLONE_NEWNET && flags & PREPARE_LOOPBACK && raise_loopback();
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
    if (flags & kinds[i].flag && s->prepared[i].fresh >= 0 && suits(s, i) &&
        setns(s->prepared[i].fresh, (int)kinds[i].flag) == 0)
      flags &= ~kinds[i].flag;
  return flags;
}

void leave_prepared(struct shim *s) {
  go_home(s);
  drop_prepared(s);
}
