/*
 * Between the shim and its child, over a SOCK_SEQPACKET pair whose child end is close-on-exec: end-of-file after
 * SYNC_EXEC means that execve succeeded, before it that the child died.
 */
#ifndef SYNC_H
#define SYNC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sync_type {
  SYNC_TURN,    /* both ways: your operations now (and, after wait_start, START). Shim: with index 1 no answer, another follows */
  SYNC_WARNING, /* child: an optional operation failed */
  SYNC_FAILED,  /* child: an operation failed, the child has ended */
  SYNC_CONSOLE, /* child: carries the pty's master and slave (SCM_RIGHTS) */
  SYNC_READY,   /* child: waits at wait_start */
  SYNC_HELD,    /* child: waits at hold */
  SYNC_SLOT,    /* shim: carries what is in slot `index` from now on (SCM_RIGHTS) */
  SYNC_EXEC,    /* child: execve comes next */
};

struct sync_message {
  uint32_t type, index, error;
  char step[52];
};

/* With 1 or 2 descriptors: 0 or an errno. */
int send_sync(int socket, struct sync_message *m, const int *fds, size_t count);
/* As recv(2); `fd` is left alone if the message has no descriptor. */
ssize_t receive_sync(int socket, struct sync_message *m, int *fd);

#endif
