/*
 * UDP forwards: a connected socket towards the container per client address, closed when idle. Replies leave with the
 * address that the client had sent to, which matters when the port is bound on all addresses.
 */
#include "forward.h"

#include <stdlib.h>

#define IDLE_MS 90000 /* libnetwork cmd/proxy, UDPConnTrackTimeout */
#define SESSIONS_MAX 1024u

struct udp_session {
  struct source src;
  struct udp_session *next;
  struct forward *forward;
  union address client;
  uint64_t expires_ms;
  int info_level, info_type; /* of the packet info to reply with; type 0: none */
  socklen_t info_length;
  uint8_t info[sizeof(struct in6_pktinfo)];
};

static void on_udp_listener(struct shim *s, struct source *src, uint32_t events);

int udp_open(struct forward *f) {
  int one = 1;
  bool v6 = f->address.any.sa_family == AF_INET6;
  f->src.ready = on_udp_listener;
  f->src.fd = socket(f->address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (f->src.fd < 0)
    return errno;
  if (v6) {
    setsockopt(f->src.fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    setsockopt(f->src.fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
  } else
    setsockopt(f->src.fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
  return bind(f->src.fd, &f->address.any, address_length(&f->address)) < 0 ? errno : 0;
}

/* The packet's own destination becomes the source of replies (ip(7), ipv6(7)). */
static void keep_info(struct udp_session *u, struct msghdr *message) {
  struct cmsghdr *c = CMSG_FIRSTHDR(message);
  if (!c)
    return;
  u->info_level = c->cmsg_level;
  u->info_type = c->cmsg_type;
  if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof info);
    info = (struct in_pktinfo){.ipi_spec_dst = info.ipi_addr};
    memcpy(u->info, &info, sizeof info);
    u->info_length = sizeof info;
  } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
    memcpy(u->info, CMSG_DATA(c), sizeof(struct in6_pktinfo));
    u->info_length = sizeof(struct in6_pktinfo);
  } else
    u->info_length = 0;
}

static void touch(struct shim *s, struct udp_session *u) {
  u->expires_ms = now_ms() + IDLE_MS;
  if (!s->udp_sweep_ms)
    s->udp_sweep_ms = u->expires_ms;
}

static void on_reply(struct shim *s, struct source *src, uint32_t events) {
  struct udp_session *u = (struct udp_session *)src;
  (void)events;
  ssize_t n = recv(src->fd, s->scratch, SCRATCH_SIZE, MSG_DONTWAIT);
  if (n < 0)
    return; /* ECONNREFUSED: nobody listens in the container; the client will see no answer */
  union {
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    struct cmsghdr align;
  } control = {0};
  struct iovec part = {.iov_base = s->scratch, .iov_len = (size_t)n};
  struct msghdr message = {
      .msg_name = &u->client, .msg_namelen = address_length(&u->client), .msg_iov = &part, .msg_iovlen = 1};
  if (u->info_length) {
    control.align =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(u->info_length), .cmsg_level = u->info_level, .cmsg_type = u->info_type};
    memcpy(CMSG_DATA(&control.align), u->info, u->info_length);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(u->info_length);
  }
  sendmsg(u->forward->src.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  touch(s, u);
}

static struct udp_session *open_session(struct shim *s, struct forward *f, const union address *client) {
  int fd = socket(f->target.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct udp_session *u = fd < 0 ? NULL : calloc(1, sizeof *u);
  if (!u || connect(fd, &f->target.any, address_length(&f->target)) < 0) {
    free(u);
    close_fd(&fd);
    return NULL;
  }
  u->src = (struct source){.ready = on_reply, .fd = fd};
  u->forward = f;
  u->client = *client;
  u->next = f->sessions;
  f->sessions = u;
  f->session_count++;
  watch(s, &u->src, EPOLLIN);
  return u;
}

/* The session of a client, moved to the front: the list is in order of use. */
static struct udp_session *session_of(struct shim *s, struct forward *f, const union address *client) {
  for (struct udp_session **link = &f->sessions, *u; (u = *link); link = &u->next) {
    if (!same_address(&u->client, client))
      continue;
    *link = u->next;
    u->next = f->sessions;
    f->sessions = u;
    return u;
  }
  return f->session_count < SESSIONS_MAX ? open_session(s, f, client) : NULL;
}

static void on_udp_listener(struct shim *s, struct source *src, uint32_t events) {
  struct forward *f = (struct forward *)src;
  union address client;
  union {
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    struct cmsghdr align;
  } control;
  struct iovec part = {.iov_base = s->scratch, .iov_len = SCRATCH_SIZE};
  struct msghdr message = {.msg_name = &client,
                           .msg_namelen = sizeof client,
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  (void)events;
  ssize_t n = recvmsg(src->fd, &message, MSG_DONTWAIT);
  if (n < 0)
    return;
  struct udp_session *u = session_of(s, f, &client);
  if (!u)
    return;
  keep_info(u, &message);
  touch(s, u);
  send(u->src.fd, s->scratch, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void udp_sweep(struct shim *s, struct forward *f, uint64_t now) {
  struct udp_session **link = &f->sessions, *u;
  while ((u = *link)) {
    if (u->expires_ms > now) {
      if (!s->udp_sweep_ms || u->expires_ms < s->udp_sweep_ms)
        s->udp_sweep_ms = u->expires_ms;
      link = &u->next;
      continue;
    }
    *link = u->next;
    unwatch_close(s, &u->src);
    f->session_count--;
    free(u);
  }
}
