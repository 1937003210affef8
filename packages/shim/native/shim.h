/*
 * The shim: one process per supervised program (container or exec) or task. Single-threaded, driven by epoll; nothing
 * in it ever waits for the daemon. All state is in one `struct shim`; the child that becomes the container's process
 * has a copy of it after clone.
 */
#ifndef SHIM_H
#define SHIM_H

#include "decode.h"
#include "protocol.h"
#include "util.h"

#include <limits.h>
#include <sys/epoll.h>
#include <termios.h>

struct shim;

/* A descriptor in the epoll set; first member of what owns it. `armed` are the events it is registered with. */
struct source {
  void (*ready)(struct shim *s, struct source *src, uint32_t events);
  int fd;
  uint32_t armed;
};

/* The order matters: comparisons say "at least running". Values are those of the STATE frame. */
enum phase { PHASE_STARTING, PHASE_READY, PHASE_RUNNING, PHASE_EXITED };

enum { OUT = 0, ERR = 1 };

/* One output of the process. With a terminal only OUT is used. */
struct stream {
  struct source src;
  int index;
};

/* Connection of the daemon: framed (control), and after ATTACH a raw stream (control.c). The starter's may get output among its
 * frames (STDIO_STARTER_OUT, _ERR): `attach` without `is_attached`. */
struct conn {
  struct source src;
  struct conn *next;
  bool is_starter;
  bool is_attached, gone; /* gone: the peer reads no more */
  bool input_ended;       /* the peer writes no more */
  uint32_t attach;        /* ATTACH_*: what it gets and gives */
  uint8_t in[56];         /* the frame being read */
  uint32_t in_length;
  uint8_t *ring; /* output that the peer has not taken, RING_SIZE bytes when mapped */
  uint32_t ring_head, ring_used;
};

#define ACCEPT_PAUSE_MS 50 /* after a connection that could not be taken: it is still there */

#define SCRATCH_SIZE (64u << 10)
#define RING_SIZE (1u << 20)
#define LOG_LINE_MAX 16384u /* moby daemon/logger/copier.go, defaultBufSize */
#define LOG_OUT_SIZE (64u << 10)

/* The log writer (log.c). Pages of its buffers are touched only by containers that write. */
struct log {
  int fd;
  const char *path, *extra;
  uint64_t size, max_bytes;
  uint32_t max_files, flags;
  pid_t gzip;          /* compresses LOG.1; 0: nobody does */
  uint32_t carried[2]; /* bytes in carry: the unfinished line of each stream */
  bool cut[2];         /* the line has had a piece written already */
  char time[2][40];    /* of the line's first piece, which all its pieces get */
  uint32_t used;       /* bytes in out */
  bool torn;           /* the file ends within a record */
  uint8_t carry[2][LOG_LINE_MAX];
  uint8_t out[LOG_OUT_SIZE];
};

/* The caller's terminal on stdin and stdout, connected to the process's. */
struct relay {
  int master; /* -1: there is none */
  bool input_ended, is_raw;
  struct termios saved;
  uint32_t offset, length; /* input that the master has not taken */
  uint8_t input[4096];
};

/* A namespace that the child is cloned from within, by its slot. */
struct joining {
  uint32_t slot;
  uint64_t type;
};
#define NAMESPACE_TYPES 8

/* A namespace made ahead and the shim's own, to come back to; -1: none (prepare.c). */
struct prepared {
  int fresh, home;
};
#define PREPARED_KINDS 2
#define PREPARE_DELAY_MS 1 /* the container that has just been started has the processors */
#define PREPARED_MS 1000

struct shim {
  int epoll;
  enum phase phase;
  bool finished; /* the exit is recorded and reported; attached clients are still being served */
  uint64_t exited_ms;
  uint64_t accept_ms;   /* until then nobody is let in at shim.sock; 0: everybody is */
  uint64_t deadline_ms; /* next thing that happens by time (0: nothing), see on_deadline() */

  struct program program;
  uint8_t *program_data;
  size_t program_size;
  uint32_t next;              /* record that runs next, or first of the child's run under way */
  uint32_t given;             /* behind the last record that the child has been given, or that ran beside it */
  const struct op *restore;   /* until the process of criu has taken the child's place */
  struct source criu;         /* our end of criu's socket, if there is one */
  int criu_end;
  pid_t restored;
  const char *step;           /* failing step inside the current operation: a literal, e.g. "move_mount" */
  bool supervised, executing; /* executing: the child said that it calls execve next */
  bool failed;                /* everything is being taken back */

  /* Host resources. */
  int dir; /* runtime directory, -1 for tasks */
  struct source listener, children, sync;
  bool owns_names; /* shim.sock and shim.pid are ours */
  struct source oom;
  int oom_counter_fd; /* memory.oom_control or memory.events */
  uint64_t oom_seen;
  bool oom_killed;
  char *kept, *kept_end; /* strings that outlive the program, see keep() */
  const char *cgroups[32];
  uint32_t cgroup_count;
  int slots[SLOTS];
  int written; /* file of the last `write`, if the next one is of the same */
  struct joining joining[NAMESPACE_TYPES];
  uint32_t joining_count;
  struct prepared prepared[PREPARED_KINDS];
  bool has_loopback; /* that of the prepared network namespace is up */
  pid_t join_pid;
  int join_pidfd, join_root, own_pid_ns;

  /* The child. */
  /* Its mount namespace, never used, only held: with the last reference to it everything in it is unmounted, an RCU grace
   * period is waited for, and of an overlay the kernel writes all that is dirty on the filesystem below, log and
   * neighbours too. So it does so for us, when all has been reported, and not for the process before its end is known. */
  int held_mounts;
  pid_t child;
  bool child_reaped;
  uint64_t clone_flags;
  uint64_t start_time, started_ns, finished_ns;
  uint32_t wait_status;

  /* Stdio. Fds in child_stdio are the child's ends, closed here after clone. */
  uint32_t stdio_flags, stdio_uid, stdio_gid, rows, columns;
  bool has_stdio;
  int child_stdio[3];
  int pty_slave; /* held so that the master never hangs up while the process lives */
  struct stream streams[2];
  struct source input; /* write side of the process's stdin */
  uint8_t *input_buffer;
  uint32_t input_offset, input_length;
  bool input_closing;
  uint32_t expect_attach;
  struct log log;

  struct conn *conns;
  struct conn *starter;
  uint64_t gather_ms; /* until then what the starter gets is gathered in its ring, see gather(); 0: it is not */
  struct forward *forwards;
  struct pair *pairs;
  uint64_t udp_sweep_ms; /* when the next idle UDP session may end, 0: there is none */

  bool is_spare; /* forked by the spawner; of interest until something is done */

  /* Programs of `ctr-shim run` (handover.c). */
  bool handover, foreground; /* foreground: stays to the end, relays the terminal */
  bool gated;                /* the child waits at its gate */
  uint32_t preserved;        /* descriptors from PRESERVED_FROM on go to the process, from 3 on */
  int console_socket, fifo;
  struct relay relay;

  /* Child side only. */
  int child_sync; /* sync.h */
  int root;       /* root of the `in root` paths */
  int empty;      /* the tmpfs over masked directories, -1: none yet */
  int null;       /* the host's /dev/null, which masks files instead of the root's, -1: not asked for */
  bool null_is_placed; /* a mask */
  int place;      /* directory of the last operation in the root, -1: none (rootfs.c) */
  char place_path[PATH_MAX];
  bool entered;
  const char *program_path; /* what exec runs; NULL: its first argument */
  char **args, **env; /* for execve; set once everything before it is done */
  _Alignas(16) uint8_t scratch[SCRATCH_SIZE];
};

/* main.c: epoll loop */
void watch(struct shim *s, struct source *src, uint32_t events);
void unwatch_close(struct shim *s, struct source *src);
void set_deadline(struct shim *s, uint64_t at_ms);
_Noreturn void serve(struct shim *s, int connection);

/* spawner.c */
int watch_ruleset(void);
bool ruleset_lost(int fd);
int spawner(const char *socket_path, struct shim *s);
int seal_binary(char **argv);
void take_signals(void);
void ignore_signals(void);
void default_signals(void);
int complain(const char *what, int error);

/* prepare.c */
void prepare_namespaces(struct shim *s, uint64_t flags);
void drop_prepared(struct shim *s);
uint64_t enter_prepared(struct shim *s, uint64_t flags);
void leave_prepared(struct shim *s);

/* remove.c */
int op_remove_tree(const char *path);

/* handover.c: `ctr-shim run`, the process of an OCI runtime's caller */
#define CALLER_FD 3      /* connection to the caller */
#define PRESERVED_FROM 4 /* first of the descriptors that the process gets as 3 and up */
int run_for_caller(struct shim *s);
int connect_console(struct shim *s, const char *path);
int op_pidfd_socket(struct shim *s, const struct op *o);
int open_fifo(struct shim *s, const char *path);
int op_gate(struct shim *s);
void hand_over_terminal(struct shim *s, int master, int slave);
void give_stdio(const struct shim *s);
int install_preserved(const struct shim *s);
void await_event(struct shim *s, int timeout_ms);
void copy_window_size(const struct shim *s);
void restore_terminal(struct shim *s);
_Noreturn void release_child(void);
_Noreturn void caller_left(struct shim *s);
_Noreturn void report_exit(struct shim *s);

/* run.c: the program on the host side */
void advance(struct shim *s);
void on_sync(struct shim *s, struct source *src, uint32_t events);
void resume_start(struct shim *s);
_Noreturn void fail(struct shim *s, uint32_t index, uint32_t error, const char *detail);
_Noreturn void abandon_task(struct shim *s);
const char *keep(struct shim *s, const char *string);

/* child.c: the program in the child */
_Noreturn void child_main(struct shim *s, int sync, uint32_t next);

/* trees.c */
void close_slots(struct shim *s);

/* net_device.c */
int op_net_device(struct shim *s, const struct op *o);

/* ops_host.c */
int netlink_ask(struct shim *s, int fd, uint32_t length);

/* ops_*.c, rootfs.c, exec.c: one function per operation; 0 or an errno, with s->step set */
int host_op(struct shim *s, const struct op *o);
int shared_op(struct shim *s, const struct op *o);
int child_op(struct shim *s, const struct op *o);
int rootfs_op(struct shim *s, const struct op *o);
int copy_tree(struct shim *s, int from, int to);
int tree_op(struct shim *s, const struct op *o);
/* namespaces.c */
struct clone_args;
int op_clone_in(struct shim *s, const struct op *o);
pid_t clone_joined(struct shim *s, struct clone_args *args);
int print_maps(const char *path);
int op_console(struct shim *s);
int op_exec(struct shim *s, const struct op *o);
int prepare_exec(struct shim *s, const struct op *o);
char **string_vector(const struct field *f);
int send_console(struct shim *s, int master, int slave);
void announce_exec(struct shim *s);

/* restore.c: criu */
int op_restore(struct shim *s, const struct op *o);
void criu_ended(struct shim *s);
int open_criu(struct shim *s);
void request_restore(struct shim *s);

/* stdio.c */
int open_stdio(struct shim *s, const struct op *o);
void adopt_terminal(struct shim *s, int master, int slave);
void update_streams(struct shim *s);
void drain_streams(struct shim *s);
bool streams_ended(const struct shim *s);
void stop_streams(struct shim *s);
void input_write(struct shim *s, const uint8_t *data, uint32_t length);
bool input_is_open(const struct shim *s);
void input_close(struct shim *s);
int resize_terminal(const struct shim *s, uint32_t rows, uint32_t columns);

/* log.c */
int log_open(struct shim *s, const struct op *o);
int log_reopen(struct shim *s);
void log_output(struct shim *s, int stream, const uint8_t *data, size_t length);
void log_finish(struct shim *s);

/* control.c */
void be_no_spare(const struct shim *s);
int listen_in(struct shim *s, const char *path);
void unlisten(struct shim *s);
struct conn *add_conn(struct shim *s, int fd);
void send_frame(struct shim *s, struct conn *c, uint32_t type, const uint8_t *payload, uint32_t length);
void send_all(struct shim *s, uint32_t type, const uint8_t *payload, uint32_t length);
void send_problem(struct shim *s, struct conn *c, uint32_t type, uint32_t index, uint32_t error, const char *detail);
void close_conn(struct shim *s, struct conn *c);
void update_conns(struct shim *s);
/* attach.c */
uint32_t attach_room(const struct shim *s, int stream);
void attach_output(struct shim *s, int stream, const uint8_t *data, uint32_t length);
bool queue_frame(struct shim *s, struct conn *c, const uint8_t *frame, uint32_t length);
void gather(struct shim *s);
void send_gathered(struct shim *s);
void starter_ready(struct shim *s, struct conn *c);
void forget_output(struct conn *c);
void attach_ready(struct shim *s, struct conn *c, uint32_t events);
void attach_begin(struct shim *s, struct conn *c, uint32_t flags);
void attach_update(struct shim *s, struct conn *c);
void drop_stuck(struct shim *s);
bool is_serving(const struct shim *s);
void close_gently(int fd);

/* reap.c: the end of the process */
void on_children(struct shim *s, struct source *src, uint32_t events);
void reap(struct shim *s);
void process_ended(struct shim *s);
void started(struct shim *s);
void end_expectation(struct shim *s);
void finish_if_drained(struct shim *s);
void on_deadline(struct shim *s);

/* cgroup.c */
int make_cgroup(struct shim *s, const char *path);
bool kill_cgroups(struct shim *s);
void remove_cgroups(struct shim *s);
int open_cgroup_of(pid_t pid, const char *container);

/* oom.c */
int oom_watch(struct shim *s, const char *path, uint32_t version);
void oom_check(struct shim *s);

/* resolver.c */
int resolver_open(struct shim *s, uint32_t port);

/* forward.c */
int forward_open(struct shim *s, const struct op *o);
void forward_start(struct shim *s);
void forward_stop(struct shim *s);
void forward_tick(struct shim *s);
uint64_t forward_deadline(const struct shim *s);

#endif
