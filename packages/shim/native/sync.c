/* Messages with descriptors between the shim and its child. */
#include "sync.h"
#include "util.h"

#include <sys/socket.h>

union control {
  char bytes[CMSG_SPACE(2 * sizeof(int))];
  struct cmsghdr align;
};

int send_sync(int socket, struct sync_message *m, const int *fds, size_t count) {
  union control control = {0};
  struct iovec part = {.iov_base = m, .iov_len = sizeof *m};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&header);
  *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof *fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
  return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? errno : 0;
}

ssize_t receive_sync(int socket, struct sync_message *m, int *fd) {
  union control control;
  struct iovec part = {.iov_base = m, .iov_len = sizeof *m};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
  if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof *fd))
    memcpy(fd, CMSG_DATA(c), sizeof *fd);
  return n;
}
