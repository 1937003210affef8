/*
 * ctr-init: PID 1 for `--init` (`ctr-init -- CMD ARG…`). Forwards every signal to the command, reaps what is orphaned,
 * ends with the command's code or 128 + signal. Stages: block signals, fork, exec in the child, wait for signals.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *text) {
  (void)!write(STDERR_FILENO, text, strlen(text));
}

/* Ends with the code that a shell gives: 127 not found, 126 not executable. */
static int complain(const char *name, int error) {
  say("ctr-init: ");
  say(name);
  say(": ");
  say(strerrordesc_np(error));
  say("\n");
  return error == ENOENT ? 127 : 126;
}

/* The command runs in a process group of its own, in the foreground of the terminal if there is one. */
static _Noreturn void become_command(char **args, const sigset_t *original) {
  setpgid(0, 0);
  signal(SIGTTOU, SIG_IGN); /* for a background process tcsetpgrp(3) stops the caller */
  (void)tcsetpgrp(STDIN_FILENO, getpid());
  signal(SIGTTOU, SIG_DFL);
  sigprocmask(SIG_SETMASK, original, NULL);
  execvp(args[0], args);
  _exit(complain(args[0], errno));
}

/* Signals that say something about ctr-init itself stay with it. */
static bool is_own(int number) {
  return number == SIGFPE || number == SIGILL || number == SIGSEGV || number == SIGBUS || number == SIGABRT ||
         number == SIGTRAP || number == SIGSYS;
}

/* True once the command has ended; *code is what we end with. */
static bool reap(pid_t command, int *code) {
  bool ended = false;
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != command)
      continue;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ended = true;
  }
  return ended;
}

int main(int argc, char **argv) {
  char **args = argv + 1;
  sigset_t all, original;
  if (argc > 1 && strcmp(args[0], "--") == 0)
    args++;
  if (!*args) {
    say("usage: ctr-init -- COMMAND [ARG...]\n");
    return 2;
  }
  if (getpid() != 1)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  sigfillset(&all);
  for (int i = 1; i < NSIG; i++)
    if (is_own(i))
      sigdelset(&all, i);
  sigprocmask(SIG_SETMASK, &all, &original);
  pid_t command = fork();
  if (command < 0)
    return complain("fork", errno);
  if (command == 0)
    become_command(args, &original);
  for (;;) {
    int code = 0, number = sigwaitinfo(&all, NULL);
    if (number > 0 && number != SIGCHLD)
      kill(command, number);
    if (number == SIGCHLD && reap(command, &code))
      return code;
  }
}
