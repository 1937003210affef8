/*
 * The kernel's word that somebody has deleted from an nftables ruleset: the daemon, which Node gives no netlink socket,
 * then looks whether its own table is whole. nfnetlink, Documentation/userspace-api/netlink
 */
#include "shim.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

/* -1 if this kernel has no nftables: then there is nothing to lose. */
int watch_ruleset(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1)};
  if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

static bool is_deletion(const struct nlmsghdr *h) {
  if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
    return false;
  int type = h->nlmsg_type & 0xff;
  return type == NFT_MSG_DELTABLE || type == NFT_MSG_DELCHAIN || type == NFT_MSG_DELRULE;
}

/* Reads what there is. True if a table, a chain or a rule was deleted, or if that was missed. */
bool ruleset_lost(int fd) {
  static char buffer[16384] __attribute__((aligned(NLMSG_ALIGNTO)));
  bool lost = false;
  for (;;) {
    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == ENOBUFS) {
      lost = true; /* too much at once */
      continue;
    }
    if (n <= 0)
      return lost;
    struct nlmsghdr *h = (struct nlmsghdr *)(void *)buffer;
    for (size_t left = (size_t)n; left >= sizeof *h && h->nlmsg_len >= sizeof *h && h->nlmsg_len <= left;) {
      lost = lost || is_deletion(h);
      size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);
      if (step >= left)
        break;
      left -= step;
      h = (struct nlmsghdr *)(void *)((char *)h + step);
    }
  }
}
