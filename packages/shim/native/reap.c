/*
 * The end of the process, in order: status, OOM flag, leftovers killed, output drained, cgroups removed, exit record
 * written, socket removed, EXIT sent, attached clients served, end.
 */
#include "shim.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

/* Others may hold the output open: a container's leftovers are being killed, what an exec left behind goes on. */
#define DRAIN_CONTAINER_MS 2000
#define DRAIN_EXEC_MS 100
/* An attached client that takes nothing may delay the exit by this much, and the shim's own end by that much. */
#define STUCK_MS 10000
#define LINGER_MS 30000
/* The clients announced by expect_attach did not come. Long: their output would be lost, and on a machine that has too
 * much to do the starter may need 10 s and more. */
#define EXPECT_MS 60000

void reap(struct shim *s) {
  int status;
  pid_t pid;
  if (s->handover && !s->foreground && !s->restore && !s->failed)
    return; /* the caller's to reap */
  /* Which of our other children is the process, only criu's end tells. */
  while ((pid = waitpid(s->restore && !s->failed ? s->child : -1, &status, WNOHANG)) > 0) {
    if (pid == s->log.gzip)
      s->log.gzip = 0;
    if (pid != s->child || s->child_reaped)
      continue;
    s->child_reaped = true;
    s->wait_status = (uint32_t)status;
    s->finished_ns = clock_ns(CLOCK_REALTIME);
  }
}

/* execve succeeded. The program has done its work. */
void started(struct shim *s) {
  uint8_t p[20];
  s->phase = PHASE_RUNNING;
  s->started_ns = clock_ns(CLOCK_REALTIME);
  if (!s->start_time)
    read_start_time(s->child, &s->start_time); /* 0 if there is no /proc */
  put32(p, (uint32_t)s->child);
  put64(p + 4, s->start_time);
  put64(p + 12, s->started_ns);
  gather(s);
  send_all(s, FRAME_STARTED, p, sizeof p);
  munmap(s->program.ops, s->program.count * sizeof(struct op));
  munmap(s->program_data, s->program_size);
  s->program = (struct program){0};
  if (!s->starter)
    s->expect_attach = 0;
  if (s->expect_attach)
    set_deadline(s, now_ms() + EXPECT_MS);
  forward_start(s);
  update_streams(s);
}

static int write_record(struct shim *s, const char *name, int flags, const char *line, size_t length) {
  scoped_fd fd = openat(s->dir, name, flags | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    return errno;
  int error = write_all(fd, line, length);
  if (error)
    return error;
  return renameat(s->dir, name, s->dir, "exit") < 0 ? errno : 0;
}

/* Whole or not at all for whoever kills us. Not fsynced: a power cut voids the run that it is about. */
static int write_exit_record(struct shim *s) {
  char line[128];
  struct text t = text_in(line, sizeof line);
  text_str(&t, "{\"status\":");
  text_number(&t, s->wait_status);
  text_str(&t, s->oom_killed ? ",\"oom\":true,\"finishedNs\":\"" : ",\"oom\":false,\"finishedNs\":\"");
  text_number(&t, s->finished_ns);
  text_str(&t, "\"}\n");
  int error = write_record(s, "exit.tmp", O_CREAT | O_TRUNC, line, (size_t)(t.at - line));
  /* A full filesystem: the pid file has a page, and nobody needs it any more. */
  return error ? write_record(s, "shim.pid", 0, line, (size_t)(t.at - line)) : 0;
}

static _Noreturn void leave(struct shim *s) {
  for (struct conn *c = s->conns; c; c = c->next)
    close_gently(c->src.fd);
  _exit(0);
}

static void finish(struct shim *s) {
  uint8_t p[16];
  stop_streams(s);
  log_finish(s);
  forward_stop(s);
  remove_cgroups(s);
  /* If this fails (disk full), EXIT still tells a daemon that listens. */
  (void)!write_exit_record(s);
  unlisten(s);
  put32(p, s->wait_status);
  put32(p + 4, s->oom_killed);
  put64(p + 8, s->finished_ns);
  send_all(s, FRAME_EXIT, p, sizeof p);
  send_gathered(s);
  s->finished = true;
  s->deadline_ms = now_ms() + LINGER_MS;
  update_conns(s);
  if (!is_serving(s))
    leave(s);
  close_fd(&s->held_mounts);
}

void finish_if_drained(struct shim *s) {
  if (s->phase == PHASE_EXITED && !s->finished && streams_ended(s))
    finish(s);
}

/* The process has exited and nobody is expected to attach any more: end-of-file of its output is due. */
static void begin_draining(struct shim *s) {
  if (s->phase != PHASE_EXITED || s->finished)
    return;
  s->deadline_ms = now_ms() + (s->cgroup_count ? DRAIN_CONTAINER_MS : DRAIN_EXEC_MS);
  update_streams(s);
  finish_if_drained(s);
}

void process_ended(struct shim *s) {
  bool at_pause = s->handover && !s->gated && s->phase == PHASE_READY;
  if (s->phase == PHASE_STARTING || at_pause)
    on_sync(s, &s->sync, 0); /* what the child said last: a failure, or that it executed the program */
  if (!s->supervised)
    return;
  if (s->restore) {
    criu_ended(s);
    return;
  }
  if (s->handover)
    report_exit(s);
  s->phase = PHASE_EXITED;
  s->exited_ms = now_ms();
  oom_check(s);
  close_fd(&s->pty_slave);
  unwatch_close(s, &s->input);
  /* In a pid namespace of its own, all that belonged to the process has died with it. */
  if (!(s->clone_flags & CLONE_NEWPID))
    kill_cgroups(s);
  if (!s->expect_attach)
    begin_draining(s);
}

void on_children(struct shim *s, struct source *src, uint32_t events) {
  struct signalfd_siginfo info;
  (void)events;
  (void)!read(src->fd, &info, sizeof info);
  if (s->foreground)
    copy_window_size(s);
  reap(s);
  if (s->child_reaped && s->phase != PHASE_EXITED)
    process_ended(s);
}

/* Time is up for draining: what is in the pipes now is taken, what comes later is lost, as with Docker. */
static void end_draining(struct shim *s) {
  uint64_t now = now_ms();
  drain_streams(s);
  bool stuck = attach_room(s, OUT) == 0 || attach_room(s, ERR) == 0;
  if (stuck && now < s->exited_ms + STUCK_MS) {
    update_streams(s);
    s->deadline_ms = s->exited_ms + STUCK_MS;
    return;
  }
  if (stuck) {
    drop_stuck(s);
    drain_streams(s);
  }
  finish(s);
}

/* Output is read from now on, whoever has attached. */
void end_expectation(struct shim *s) {
  s->expect_attach = 0;
  update_streams(s);
  begin_draining(s);
}

void on_deadline(struct shim *s) {
  if (s->finished && !is_serving(s))
    leave(s);
  if (s->gather_ms && now_ms() >= s->gather_ms)
    send_gathered(s);
  if (s->accept_ms && now_ms() >= s->accept_ms) {
    s->accept_ms = 0;
    watch(s, &s->listener, EPOLLIN);
  }
  if (!s->deadline_ms || now_ms() < s->deadline_ms)
    return;
  s->deadline_ms = 0;
  if (s->finished)
    leave(s);
  if (s->expect_attach)
    end_expectation(s);
  else if (s->phase == PHASE_EXITED)
    end_draining(s);
}
