#include "process.h"

#include "files.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void fail(const char *call, const char *path) {
  uint8_t message[8192];
  uint32_t number = (uint32_t)errno;
  size_t call_bytes = strlen(call) + 1, path_bytes = strnlen(path, 4096);
  message[0] = REPLY_ERROR;
  memcpy(message + 1, &number, sizeof number);
  memcpy(message + 5, call, call_bytes);
  memcpy(message + 5 + call_bytes, path, path_bytes);
  message[5 + call_bytes + path_bytes] = 0;
  ssize_t n = write(REPLY_FD, message, 6 + call_bytes + path_bytes);
  _exit(n < 0 ? 3 : 2);
}

void malformed(const char *what) {
  errno = EPROTO;
  fail(what, "");
}

void reply(const void *data, size_t length) {
  if (write(REPLY_FD, data, length) != (ssize_t)length)
    _exit(3);
}

static int drop_privileges(uint32_t keep) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct now[2], data[2] = {0};
  if (syscall(SYS_capget, &header, now) < 0)
    return -1;
  data[0].permitted = data[0].effective = now[0].permitted & keep;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -1;
  return (int)syscall(SYS_capset, &header, data);
}

void enter_root(uint32_t keep) {
  if (fchdir(ROOT_FD) < 0 || chroot(".") < 0)
    fail("chroot", "");
  if (drop_privileges(keep) < 0)
    fail("capset", "");
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is done for a daemon that is gone */
  umask(0);
}

int main(int argc, char **argv) {
  if (argc > 1)
    pack_files(argc, argv);
  make_files();
}
