/* criu's socket protocol (criu.c). */
#ifndef CRIU_H
#define CRIU_H

#include "util.h"

/* Of a message on a SOCK_SEQPACKET socket with the usual buffers. */
#define REQUEST_MAX (128u << 10)

struct criu_answer {
  bool is_final, succeeded;
  pid_t pid;    /* of the process that was restored, 0: none */
  int terminal; /* master of a terminal that has lost its own; -1: none. The receiver's to close */
};

/* Reads one message (recvmsg(2) with `flags`) and consents to what is asked. False if criu has gone. */
bool criu_receive(int fd, int flags, struct criu_answer *answer);
int criu_request(char *path);

#endif
