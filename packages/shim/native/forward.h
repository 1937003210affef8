/* Published ports: sockets on the host, bound before clone, forwarded to the container's address (forward.c, udp.c). */
#ifndef FORWARD_H
#define FORWARD_H

#include "shim.h"

#include <netinet/in.h>
#include <sys/socket.h>

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static inline socklen_t address_length(const union address *a) {
  return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

/* One listening socket. */
struct forward {
  struct source src;
  struct forward *next;
  bool is_udp;
  union address target;
  struct udp_session *sessions;
  uint32_t session_count;
};

int udp_open(struct forward *f, const union address *address);
/* Closes idle sessions; all of them if now_ms is UINT64_MAX. */
void udp_sweep(struct shim *s, struct forward *f, uint64_t now);

#endif
