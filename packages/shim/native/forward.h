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

static inline bool same_address(const union address *a, const union address *b) {
  if (a->any.sa_family != b->any.sa_family)
    return false;
  if (a->any.sa_family == AF_INET)
    return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
  return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
         memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

/* One listening socket. */
struct forward {
  struct source src;
  struct forward *next;
  uint32_t protocol; /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP */
  union address address, target;
  struct udp_session *sessions;
  uint32_t session_count;
};

int forward_set(struct shim *s, uint32_t protocol, const union address *address, const union address *target);
void forward_close(struct shim *s, uint32_t protocol, const union address *address);

int udp_open(struct forward *f);
/* Closes idle sessions; all of them if now_ms is UINT64_MAX. */
void udp_sweep(struct shim *s, struct forward *f, uint64_t now);

#endif
