/*
 * A network device of ours goes to the container (runtime-spec, linux.netDevices): taken down, moved and renamed in one
 * request, given back its addresses, and set up. When the namespace ends, the kernel brings a physical one back; a
 * virtual one ends with it. rtnetlink(7), netdevice(7)
 */
#include "shim.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* One that goes along: an address of global scope that somebody has configured. */
struct address {
  uint8_t family, prefix, bytes[16];
};

struct addresses {
  struct address *list;
  uint32_t count;
};

static void release(struct addresses *addresses) {
  free(addresses->list);
}

static struct nlmsghdr *begin(struct shim *s, uint16_t type, uint16_t flags, const void *body, uint32_t size) {
  struct nlmsghdr *message = (struct nlmsghdr *)(void *)s->scratch;
  memset(message, 0, NLMSG_SPACE(size));
  *message = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(size),
                               .nlmsg_type = type,
                               .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
  memcpy(NLMSG_DATA(message), body, size);
  return message;
}

static void attribute(struct nlmsghdr *message, uint16_t type, const void *data, uint32_t size) {
  struct rtattr *at = (struct rtattr *)(void *)((uint8_t *)message + NLMSG_ALIGN(message->nlmsg_len));
  *at = (struct rtattr){.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type};
  memcpy(RTA_DATA(at), data, size);
  message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + (uint32_t)RTA_LENGTH(size);
}

static int add(struct addresses *all, const struct ifaddrmsg *header, uint32_t length) {
  const void *local = NULL, *peer = NULL;
  uint32_t flags = header->ifa_flags;
  for (const struct rtattr *a = IFA_RTA(header); RTA_OK(a, length); a = RTA_NEXT(a, length)) {
    if (a->rta_type == IFA_LOCAL)
      local = RTA_DATA(a);
    if (a->rta_type == IFA_ADDRESS)
      peer = RTA_DATA(a);
    if (a->rta_type == IFA_FLAGS)
      flags = get32(RTA_DATA(a));
  }
  const void *found = local ? local : peer;
  if (!found || !(flags & IFA_F_PERMANENT) || header->ifa_scope != RT_SCOPE_UNIVERSE)
    return 0;
  struct address *list = reallocarray(all->list, all->count + 1, sizeof *list);
  if (!list)
    return ENOMEM;
  all->list = list;
  struct address *one = &list[all->count++];
  *one = (struct address){.family = header->ifa_family, .prefix = header->ifa_prefixlen};
  memcpy(one->bytes, found, header->ifa_family == AF_INET ? 4 : 16);
  return 0;
}

/* Of the device `index`. */
static int read_addresses(struct shim *s, int fd, uint32_t index, struct addresses *all) {
  struct ifaddrmsg body = {.ifa_family = AF_UNSPEC};
  const struct nlmsghdr *request = begin(s, RTM_GETADDR, NLM_F_DUMP, &body, sizeof body);
  if (send(fd, request, request->nlmsg_len, 0) < 0)
    return errno;
  for (;;) {
    ssize_t n = recv(fd, s->scratch, sizeof s->scratch, 0);
    if (n < 0)
      return errno;
    uint32_t left = (uint32_t)n;
    for (const struct nlmsghdr *h = request; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_type == NLMSG_DONE)
        return 0;
      if (h->nlmsg_type == NLMSG_ERROR)
        return -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
      const struct ifaddrmsg *address = NLMSG_DATA(h);
      bool is_ours = address->ifa_index == index && (address->ifa_family == AF_INET || address->ifa_family == AF_INET6);
      int error = is_ours ? add(all, address, (uint32_t)IFA_PAYLOAD(h)) : 0;
      if (error)
        return error;
    }
  }
}

static int set_up(int fd, const char *name, bool up) {
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, strlen(name));
  if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
    return errno;
  request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
}

static int index_of(int fd, const char *name, uint32_t *index) {
  struct ifreq request = {0};
  memcpy(request.ifr_name, name, strlen(name));
  if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
    return errno;
  *index = (uint32_t)request.ifr_ifindex;
  return 0;
}

static int move(struct shim *s, int fd, uint32_t index, const char *name, int namespace) {
  struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
  struct nlmsghdr *request = begin(s, RTM_NEWLINK, 0, &body, sizeof body);
  attribute(request, IFLA_IFNAME, name, (uint32_t)strlen(name) + 1);
  attribute(request, IFLA_NET_NS_FD, &namespace, sizeof namespace);
  return netlink_ask(s, fd, request->nlmsg_len);
}

static int give_address(struct shim *s, int fd, uint32_t index, const struct address *address) {
  struct ifaddrmsg body = {.ifa_family = address->family, .ifa_prefixlen = address->prefix, .ifa_index = index};
  uint32_t size = address->family == AF_INET ? 4 : 16;
  struct nlmsghdr *request = begin(s, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
  attribute(request, IFA_LOCAL, address->bytes, size);
  attribute(request, IFA_ADDRESS, address->bytes, size);
  if (address->family == AF_INET && address->prefix < 31) {
    uint8_t broadcast[4];
    for (uint32_t i = 0; i < 4; i++) {
      uint32_t host_bits = address->prefix >= 8 * (i + 1) ? 0 : address->prefix <= 8 * i ? 8 : 8 * (i + 1) - address->prefix;
      broadcast[i] = (uint8_t)(address->bytes[i] | ((1u << host_bits) - 1));
    }
    attribute(request, IFA_BROADCAST, broadcast, sizeof broadcast);
  }
  return netlink_ask(s, fd, request->nlmsg_len);
}

/* A socket belongs to the namespace that it was made in, wherever its owner is. */
static int socket_in(int namespace, int *fd) {
  scoped_fd own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (own < 0 || setns(namespace, CLONE_NEWNET) < 0)
    return errno;
  *fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  int error = *fd < 0 ? errno : 0;
  return setns(own, CLONE_NEWNET) < 0 ? errno : error;
}

int op_net_device(struct shim *s, const struct op *o) {
  const char *name = op_str(o, 0), *new_name = *op_str(o, 1) ? op_str(o, 1) : name;
  if (strlen(name) >= IFNAMSIZ || strlen(new_name) >= IFNAMSIZ)
    return ENAMETOOLONG;
  char path[32];
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_number(&t, (uint64_t)s->child);
  text_str(&t, "/ns/net");
  s->step = "namespace";
  scoped_fd namespace = open(path, O_RDONLY | O_CLOEXEC);
  if (namespace < 0)
    return errno;
  s->step = "socket";
  scoped_fd here = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (here < 0)
    return errno;
  uint32_t index;
  s->step = "link";
  int error = index_of(here, name, &index);
  if (error)
    return error;
  s->step = "enter";
  scoped_fd there = -1;
  if ((error = socket_in(namespace, &there)))
    return error;
  /* The kernel would say so when it has moved the device, under its old name. */
  uint32_t taken;
  s->step = "move";
  if (index_of(there, new_name, &taken) == 0)
    return EEXIST;
  __attribute__((cleanup(release))) struct addresses addresses = {0};
  s->step = "addresses"; /* those of IPv6 go when it is taken down */
  if ((error = read_addresses(s, here, index, &addresses)))
    return error;
  s->step = "down";
  if ((error = set_up(here, name, false)))
    return error;
  s->step = "move";
  if ((error = move(s, here, index, new_name, namespace)))
    return error;
  s->step = "enter";
  if ((error = index_of(there, new_name, &index)))
    return error;
  s->step = "address";
  for (uint32_t i = 0; i < addresses.count; i++)
    if ((error = give_address(s, there, index, &addresses.list[i])))
      return error;
  s->step = "up";
  return set_up(there, new_name, true);
}
