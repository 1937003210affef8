/*
 * Cloning from within namespaces that exist: who joins a user namespace has to be in it when the other namespaces are
 * made, or they belong to another owner; and nobody comes back out of one. So a helper joins, clones and ends, and the
 * child is the shim's all the same (CLONE_PARENT). user_namespaces(7), and runc's nsexec.c
 */
#include "shim.h"
#include "sys.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* What the helper tells. */
struct outcome {
  pid_t child; /* as the shim sees it: the helper does not enter a pid namespace itself */
  int error;
  const char *step;
};

/* From `clone_in`: kept until `clone`. */
int op_clone_in(struct shim *s, const struct op *o) {
  s->step = "slots";
  if (s->joining_count == sizeof s->joining / sizeof s->joining[0])
    return EINVAL;
  s->joining[s->joining_count++] = (struct joining){.slot = op_u32(o, 0), .type = op_u64(o, 1)};
  return 0;
}

/*
 * The user namespace comes last: from outside it we may enter the others whoever owns them. A host that keeps us from
 * that (we are in a user namespace ourselves) may allow it from within.
 */
static int join_all(struct shim *s) {
  struct joining *user = NULL;
  bool left[NAMESPACE_TYPES] = {false};
  for (uint32_t i = 0; i < s->joining_count; i++) {
    if (s->joining[i].type == CLONE_NEWUSER)
      user = &s->joining[i];
    else if (setns(s->slots[s->joining[i].slot], (int)s->joining[i].type) < 0) {
      if (errno != EPERM)
        return errno;
      left[i] = true;
    }
  }
  if (user && setns(s->slots[user->slot], CLONE_NEWUSER) < 0)
    return errno;
  for (uint32_t i = 0; i < s->joining_count; i++)
    if (left[i] && setns(s->slots[s->joining[i].slot], (int)s->joining[i].type) < 0)
      return errno;
  return 0;
}

/* clone3(2) from within the namespaces of `clone_in`. 0 in the child, as clone3; -1 with errno. */
pid_t clone_joined(struct shim *s, struct clone_args *args) {
  struct outcome *outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (outcome == MAP_FAILED)
    return -1;
  pid_t helper = fork();
  if (helper == 0) {
    outcome->step = "setns";
    outcome->error = join_all(s);
    if (outcome->error)
      _exit(0);
    outcome->step = "clone3";
    struct clone_args own = *args;
    own.flags |= CLONE_PARENT;
    own.exit_signal = 0; /* that of the helper */
    pid_t child = sys_clone3(&own);
    if (child == 0)
      return 0;
    outcome->child = child;
    outcome->error = child < 0 ? errno : 0;
    _exit(0);
  }
  int error = helper < 0 ? errno : 0;
  if (helper > 0)
    while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
      ;
  pid_t child = outcome->child;
  if (!error)
    error = outcome->error;
  if (!error && child == 0)
    error = ECHILD; /* the helper was killed */
  s->step = outcome->step ? outcome->step : "fork";
  munmap(outcome, sizeof *outcome);
  errno = error;
  return error ? -1 : child;
}

static int copy_map(const char *pid, const char *name) {
  char path[64], lines[16384]; /* at most 340 lines */
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_str(&t, pid);
  text_str(&t, name);
  int error = read_text(AT_FDCWD, path, lines, sizeof lines);
  return error ? error : write_all(STDOUT_FILENO, lines, strlen(lines));
}

/* `ctr-shim maps PATH`: the uid map of the user namespace at the path, an empty line and its gid map, as seen from
 * here. */
int print_maps(const char *path) {
  char digits[24];
  int ready[2];
  scoped_fd users = open(path, O_RDONLY | O_CLOEXEC);
  if (users < 0 || pipe2(ready, O_CLOEXEC) < 0)
    return complain(path, errno);
  pid_t pid = fork();
  if (pid < 0)
    return complain("fork", errno);
  if (pid == 0) {
    int error = setns(users, CLONE_NEWUSER) < 0 ? errno : 0;
    if (write(ready[1], &error, sizeof error) == (ssize_t)sizeof error && !error)
      for (;;)
        pause(); /* until the parent has read */
    _exit(0);
  }
  int error = EPROTO;
  close(ready[1]);
  if (read(ready[0], &error, sizeof error) != (ssize_t)sizeof error)
    error = ECHILD;
  struct text t = text_in(digits, sizeof digits);
  text_number(&t, (uint64_t)pid);
  if (!error)
    error = copy_map(digits, "/uid_map");
  if (!error)
    error = write_all(STDOUT_FILENO, "\n", 1);
  if (!error)
    error = copy_map(digits, "/gid_map");
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return error ? complain(path, error) : 0;
}
