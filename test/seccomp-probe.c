/* Prints what system calls that the default policy treats specially answer: one line each, "name errno". */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRY(name, call) do { errno = 0; (void)(call); printf("%s %d\n", name, errno); } while (0)

int main(void) {
  TRY("clone3", syscall(SYS_clone3, 0, 0));
  TRY("io_uring_setup", syscall(SYS_io_uring_setup, 0, 0));
  TRY("vsock", socket(40 /* AF_VSOCK */, SOCK_STREAM, 0));
  TRY("unshare_user", unshare(0x10000000 /* CLONE_NEWUSER */));
  TRY("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
  TRY("mount", syscall(SYS_mount, "a", "/", "tmpfs", 0, 0));
  TRY("inet", socket(AF_INET, SOCK_STREAM, 0));
  return 0;
}
