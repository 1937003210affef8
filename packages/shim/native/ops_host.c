/* Operations of the host side, and those of either side. */
#include "shim.h"
#include "sys.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int op_join(struct shim *s, const struct op *o) {
  char path[64];
  uint32_t pid = op_u32(o, 0);
  uint64_t start_time = 0;
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_number(&t, pid);
  text_str(&t, "/root");
  s->step = "pidfd_open";
  s->join_pid = (pid_t)pid;
  s->join_pidfd = sys_pidfd_open((pid_t)pid);
  if (s->join_pidfd < 0)
    return errno;
  /* The pid may be another process's by now: checked after it is pinned. */
  s->step = "start time";
  int error = read_start_time((pid_t)pid, &start_time);
  if (error)
    return error;
  if (op_u64(o, 1) && op_u64(o, 1) != start_time)
    return ESRCH;
  s->step = "open root";
  s->join_root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  s->own_pid_ns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  if (s->join_root < 0 || s->own_pid_ns < 0)
    return errno;
  s->step = "setns";
  return setns(s->join_pidfd, CLONE_NEWPID) < 0 ? errno : 0;
}

/* The parent's part after clone: what only the child needs is closed. */
static void release_child_ends(struct shim *s) {
  for (int i = 0; i < 3; i++)
    close_fd(&s->child_stdio[i]);
  close_slots(s);
  if (s->own_pid_ns >= 0)
    setns(s->own_pid_ns, CLONE_NEWPID);
  close_fd(&s->own_pid_ns);
  close_fd(&s->fifo);
  close_fd(&s->criu_end);
  close_fd(&s->join_pidfd);
  close_fd(&s->join_root);
}

static pid_t make_child(struct shim *s, const struct clone_args *wanted) {
  struct clone_args args = *wanted;
  if (s->joining_count) {
    drop_prepared(s);
    return clone_joined(s, &args);
  }
  args.flags = enter_prepared(s, args.flags);
  pid_t pid = sys_clone3(&args);
  if (pid) {
    int error = errno;
    leave_prepared(s);
    errno = error;
  }
  return pid;
}

static int op_clone(struct shim *s, const struct op *o) {
  int pair[2];
  scoped_fd cgroup = -1;
  s->clone_flags = op_u64(o, 0);
  struct clone_args args = {.flags = s->clone_flags, .exit_signal = SIGCHLD};
  if (*op_str(o, 1)) {
    s->step = "open cgroup";
    cgroup = open(op_str(o, 1), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (cgroup < 0)
      return errno;
    args.flags |= CLONE_INTO_CGROUP; /* Linux 5.7 */
    args.cgroup = (unsigned)cgroup;
  }
  s->step = "socketpair";
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return errno;
  if (s->restore) {
    int error = open_criu(s);
    if (error)
      return error;
  }
  s->step = "clone3";
  pid_t pid = make_child(s, &args);
  scoped_fd joined = pid < 0 && errno == EBUSY && s->join_pid ? open_cgroup_of(s->join_pid, op_str(o, 1)) : -1;
  if (joined >= 0) {
    args.cgroup = (unsigned)joined;
    pid = make_child(s, &args);
  }
  if (pid == 0)
    child_main(s, pair[1], s->next + 1);
  int error = pid < 0 ? errno : 0;
  close(pair[1]);
  if (error) {
    close(pair[0]);
    return error;
  }
  s->child = pid;
  s->sync = (struct source){.ready = on_sync, .fd = pair[0]};
  watch(s, &s->sync, EPOLLIN);
  release_child_ends(s);
  return 0;
}

/*
 * For the child: its time namespace must have its offsets before there is a process in it, so it is made here, by a
 * process that stays outside. time_namespaces(7)
 */
static int op_time_namespace(struct shim *s, const struct op *o) {
  s->step = "unshare";
  if (unshare(CLONE_NEWTIME) < 0) /* Linux 5.6 */
    return errno;
  s->step = "timens_offsets";
  return o->f[0].number ? write_file("/proc/self/timens_offsets", o->f[0].bytes, o->f[0].number) : 0;
}

static int op_write_pid(struct shim *s, const struct op *o) {
  char digits[24];
  struct text t = text_in(digits, sizeof digits);
  text_number(&t, (uint64_t)s->child);
  return write_file(op_str(o, 0), digits, (size_t)(t.at - digits));
}

static int write_proc(struct shim *s, const char *name, const struct op *o, int field) {
  char path[64];
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_number(&t, (uint64_t)s->child);
  text_str(&t, "/");
  text_str(&t, name);
  s->step = name;
  return o->f[field].number ? write_file(path, o->f[field].bytes, o->f[field].number) : 0;
}

static int op_id_map(struct shim *s, const struct op *o) {
  int error = write_proc(s, "setgroups", o, 2);
  if (!error)
    error = write_proc(s, "uid_map", o, 0);
  return error ? error : write_proc(s, "gid_map", o, 1);
}

static int op_device_bpf(struct shim *s, const struct op *o) {
  s->step = "open cgroup";
  scoped_fd cgroup = open(op_str(o, 0), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (cgroup < 0)
    return errno;
  union bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = (uint64_t)(uintptr_t)o->f[1].bytes;
  load.insn_cnt = (uint32_t)(o->f[1].number / 8);
  load.license = (uint64_t)(uintptr_t) "Apache-2.0";
  s->step = "bpf load";
  scoped_fd program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  if (program < 0)
    return errno;
  union bpf_attr attach;
  memset(&attach, 0, sizeof attach);
  attach.target_fd = (uint32_t)cgroup;
  attach.attach_bpf_fd = (uint32_t)program;
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  s->step = "bpf attach";
  return syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0 ? errno : 0;
}

/* Sends the request in `scratch` and waits for its ack: 0 or an errno, EPROTO if there was none. */
int netlink_ask(struct shim *s, int fd, uint32_t length) {
  struct nlmsghdr *request = (struct nlmsghdr *)(void *)s->scratch;
  request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  request->nlmsg_seq = 1;
  if (send(fd, s->scratch, length, 0) < 0)
    return errno;
  /* The kernel answers inside send(2). More than one message may come: the new link, with NLM_F_ECHO; one for each error in a batch. */
  int error = EPROTO;
  for (;;) {
    ssize_t n = recv(fd, s->scratch, sizeof s->scratch, MSG_DONTWAIT);
    if (n < 0)
      return errno == EAGAIN ? error : errno;
    uint32_t left = (uint32_t)n;
    for (struct nlmsghdr *h = request; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
      if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        continue;
      if (error == EPROTO || !error)
        error = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
    }
  }
}

/* One rtnetlink request, or a batch for another protocol (nlmsg_pid of the first header; 0 is NETLINK_ROUTE), and its ack, on a
 * socket of its own: it belongs to the network namespace of this moment. */
static int op_netlink(struct shim *s, const struct op *o) {
  uint32_t length = (uint32_t)o->f[0].number, pid_offset = op_u32(o, 1), ignore = op_u32(o, 2);
  if (length > sizeof s->scratch)
    return EMSGSIZE;
  memcpy(s->scratch, o->f[0].bytes, length);
  struct nlmsghdr *request = (struct nlmsghdr *)(void *)s->scratch;
  int protocol = (int)request->nlmsg_pid;
  request->nlmsg_pid = 0;
  if (pid_offset)
    put32(s->scratch + pid_offset, (uint32_t)s->child);
  s->step = "socket";
  scoped_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0)
    return errno;
  s->step = "ack";
  int error = netlink_ask(s, fd, length);
  return error == (int)ignore ? 0 : error;
}

/* A file that the next operation writes, too, stays open: the rules of a devices cgroup are a dozen. */
static int op_write(struct shim *s, const struct op *o) {
  const char *path = op_str(o, 0);
  const struct op *next = o + 1;
  bool again = next < s->program.ops + s->program.count && next->code == OP_WRITE && next->side == o->side &&
               strcmp(op_str(next, 0), path) == 0;
  int fd = s->written >= 0 ? s->written : open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return errno;
  if (s->written >= 0)
    (void)lseek(fd, 0, SEEK_SET);
  s->written = -1;
  int error = write_once(fd, o->f[1].bytes, o->f[1].number);
  if (again && !error)
    s->written = fd;
  else
    close(fd);
  return error;
}

int shared_op(struct shim *s, const struct op *o) {
  switch (o->code) {
  case OP_WRITE:
    return op_write(s, o);
  case OP_NETLINK:
    return op_netlink(s, o);
  case OP_UMOUNT:
    return umount2(op_str(o, 0), (int)op_u32(o, 1)) < 0 ? errno : 0;
  default:
    return EOPNOTSUPP;
  }
}

static int op_directory(const char *path, mode_t mode) {
  if (mkdir(path, mode) < 0)
    return errno;
  /* The umask may have taken something of what is not the owner's. */
  return (mode & 077) && chmod(path, mode) < 0 ? errno : 0;
}

int host_op(struct shim *s, const struct op *o) {
  switch (o->code) {
  case OP_RUNTIME_DIR:
    return listen_in(s, op_str(o, 0));
  case OP_LOG_JSON:
    return log_open(s, o);
  case OP_STDIO:
    return open_stdio(s, o);
  case OP_EXPECT_ATTACH:
    s->expect_attach = op_u32(o, 0);
    send_frame(s, s->starter, FRAME_LISTENING, NULL, 0);
    return 0;
  case OP_CGROUP:
    return make_cgroup(s, op_str(o, 0));
  case OP_HANDOVER:
    return 0; /* known since it was decoded */
  case OP_CONSOLE_SOCKET:
    return connect_console(s, op_str(o, 0));
  case OP_PIDFD_SOCKET:
    return op_pidfd_socket(s, o);
  case OP_REMOVE_TREE:
    return op_remove_tree(op_str(o, 0));
  case OP_DIRECTORY:
    return op_directory(op_str(o, 0), (mode_t)op_u32(o, 1));
  case OP_NET_DEVICE:
    return op_net_device(s, o);
  case OP_EXEC_FIFO:
    return open_fifo(s, op_str(o, 0));
  case OP_OOM_WATCH:
    return oom_watch(s, op_str(o, 0), op_u32(o, 1));
  case OP_DEVICE_BPF:
    return op_device_bpf(s, o);
  case OP_FORWARD:
    return forward_open(s, o);
  case OP_RESOLVER:
    return resolver_open(s, op_u32(o, 0));
  case OP_JOIN:
    return op_join(s, o);
  case OP_OPEN:
    close_fd(&s->slots[op_u32(o, 0)]);
    s->slots[op_u32(o, 0)] = open(op_str(o, 1), O_RDONLY | O_CLOEXEC);
    return s->slots[op_u32(o, 0)] < 0 ? errno : 0;
  case OP_CLONE_IN:
    return op_clone_in(s, o);
  case OP_TIME_NAMESPACE:
    return op_time_namespace(s, o);
  case OP_CLONE:
    return op_clone(s, o);
  case OP_WRITE_PID:
    return op_write_pid(s, o);
  case OP_ID_MAP:
    return op_id_map(s, o);
  default:
    return tree_op(s, o);
  }
}
