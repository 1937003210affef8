/*
 * Where a container asks for names whose networks have no address of the host: a UDP and a TCP socket in its network
 * namespace. The shim only holds them, so that questions wait while no daemon runs; the daemon answers, with descriptors
 * of its own (pidfd_getfd(2)).
 */
#include "shim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define RESOLVER_ADDRESS 0x7f00000bu /* 127.0.0.11 */
#define BACKLOG 64

static int sockets[2] = {-1, -1};

/* The child will do so, too, but a socket that is bound before answers from another address of the loopback. */
static int loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  scoped_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
}

static int open_socket(int type, uint32_t port, int *kept) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at.sin_addr.s_addr = htonl(RESOLVER_ADDRESS);
  int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return errno;
  if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
    int error = errno;
    close_fd(&fd);
    return error;
  }
  *kept = fd;
  return 0;
}

static int open_both(uint32_t port) {
  int error = loopback_up();
  if (!error)
    error = open_socket(SOCK_DGRAM, port, &sockets[0]);
  if (!error)
    error = open_socket(SOCK_STREAM, port, &sockets[1]);
  if (error)
    close_fd(&sockets[0]);
  return error;
}

/* Again: nothing changes. The port is always the same for one container. */
int resolver_open(struct shim *s, uint32_t port) {
  char path[32];
  if (sockets[0] >= 0)
    return 0;
  snprintf(path, sizeof path, "/proc/%d/ns/net", (int)s->child);
  s->step = "namespace";
  scoped_fd own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  scoped_fd theirs = open(path, O_RDONLY | O_CLOEXEC);
  if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNET) < 0)
    return errno;
  int error = open_both(port);
  s->step = "bind";
  return setns(own, CLONE_NEWNET) < 0 ? errno : error;
}
