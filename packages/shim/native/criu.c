/*
 * criu's socket protocol, as far as it takes to give one request and to see it through: `criu swrk FD` reads a request
 * (protobuf, made in TypeScript), asks for consent at each of its stages, may send a terminal's master with it, and answers.
 */
#include "criu.h"
#include "shim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* criu_req_type */
enum { CRIU_NOTIFY = 6 };
/* criu_req{type = NOTIFY, notify_success = true} */
static const uint8_t consent[] = {0x08, CRIU_NOTIFY, 0x18, 1};

struct wire {
  const uint8_t *at, *end;
};

static bool take_varint(struct wire *w, uint64_t *value) {
  *value = 0;
  for (unsigned shift = 0; w->at < w->end && shift < 64; shift += 7) {
    uint8_t byte = *w->at++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return true;
  }
  return false;
}

/* One field: its number, and its value or the bytes it consists of. False at the end, and for what is malformed. */
static bool take_field(struct wire *w, uint64_t *number, uint64_t *value, struct wire *inside) {
  uint64_t tag;
  *inside = (struct wire){0};
  if (w->at == w->end || !take_varint(w, &tag) || !take_varint(w, value))
    return false;
  *number = tag >> 3;
  if ((tag & 7) == 0)
    return true;
  if ((tag & 7) != 2 || *value > (uint64_t)(w->end - w->at))
    return false;
  *inside = (struct wire){w->at, w->at + *value};
  w->at += *value;
  return true;
}

/* criu_resp: 1 type, 2 success, 4 restore{1 pid} */
static void parse_answer(struct wire w, struct criu_answer *answer) {
  uint64_t number, value, pid;
  struct wire inside, none;
  while (take_field(&w, &number, &value, &inside)) {
    if (number == 1)
      answer->is_final = value != CRIU_NOTIFY;
    else if (number == 2)
      answer->succeeded = value == 1;
    else if (number == 4 && take_field(&inside, &number, &pid, &none) && number == 1)
      answer->pid = (pid_t)pid;
  }
}

bool criu_receive(int fd, int flags, struct criu_answer *answer) {
  uint8_t data[16384];
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec part = {.iov_base = data, .iov_len = sizeof data};
  struct msghdr header = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t n;
  *answer = (struct criu_answer){.terminal = -1};
  /* A criu that has ended with something of ours unread leaves ECONNRESET, once, before what it has said. */
  do
    n = recvmsg(fd, &header, flags | MSG_CMSG_CLOEXEC);
  while (n < 0 && (errno == EINTR || errno == ECONNRESET));
  if (n <= 0)
    return false;
  struct cmsghdr *c = CMSG_FIRSTHDR(&header);
  if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(&answer->terminal, CMSG_DATA(c), sizeof(int));
  parse_answer((struct wire){data, data + n}, answer);
  if (answer->is_final || send(fd, consent, sizeof consent, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof consent)
    return true;
  return errno == EPIPE || errno == ECONNRESET; /* it has ended, but may have said more */
}

static _Noreturn void become_criu(char *path, int socket) {
  char digits[12];
  struct text t = text_in(digits, sizeof digits);
  text_number(&t, (uint64_t)socket);
  fcntl(socket, F_SETFD, 0);
  execve(path, (char *[]){path, "swrk", digits, NULL}, environ);
  _exit(complain("execve criu", errno));
}

/* `ctr-shim criu PATH`: the request is on stdin; 0 if it was done. What went wrong is in criu's log. */
int criu_request(char *path) {
  static uint8_t request[REQUEST_MAX];
  size_t length = 0;
  ssize_t n;
  int pair[2];
  while (length < sizeof request && (n = read(STDIN_FILENO, request + length, sizeof request - length)) > 0)
    length += (size_t)n;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return complain("socketpair", errno);
  pid_t pid = fork();
  if (pid == 0)
    become_criu(path, pair[1]);
  close(pair[1]);
  if (pid < 0 || send(pair[0], request, length, MSG_NOSIGNAL) != (ssize_t)length)
    return complain("send", errno);
  struct criu_answer answer;
  do {
    if (!criu_receive(pair[0], 0, &answer))
      return complain("criu", ECHILD);
    close_fd(&answer.terminal);
  } while (!answer.is_final);
  close(pair[0]);
  waitpid(pid, NULL, 0);
  return answer.succeeded ? 0 : 1;
}
