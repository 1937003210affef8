/*
 * Detached mounts that the host makes for the child, which attaches them by their descriptors: a child in a user
 * namespace may neither reach every source nor change the ids of a mount. See mount_setattr(2), "ID-mapped mounts".
 */
#include "shim.h"
#include "sync.h"
#include "sys.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define HELPER_STACK (64u << 10)

static void fill_slot(struct shim *s, uint32_t slot, int fd) {
  close_fd(&s->slots[slot]);
  s->slots[slot] = fd;
}

static int write_map(struct shim *s, pid_t pid, const char *name, const struct field *map) {
  char path[64];
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_number(&t, (uint64_t)pid);
  text_str(&t, "/");
  text_str(&t, name);
  s->step = name;
  return write_file(path, map->bytes, map->number);
}

/* A user namespace that only its descriptor keeps: its maps are what an ID-mapped mount takes. */
static int op_user_namespace(struct shim *s, const struct op *o) {
  char path[64];
  struct clone_args args = {.flags = CLONE_NEWUSER};
  s->step = "clone3";
  pid_t pid = sys_clone3(&args);
  if (pid < 0)
    return errno;
  if (pid == 0) {
    for (;;)
      pause(); /* the parent kills it at once, and cannot end without */
  }
  int error = write_map(s, pid, "uid_map", &o->f[1]);
  if (!error)
    error = write_map(s, pid, "gid_map", &o->f[2]);
  if (!error) {
    struct text t = text_in(path, sizeof path);
    text_str(&t, "/proc/");
    text_number(&t, (uint64_t)pid);
    text_str(&t, "/ns/user");
    s->step = "open";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    error = fd < 0 ? errno : 0;
    if (fd >= 0)
      fill_slot(s, op_u32(o, 0), fd);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, __WALL);
  return error;
}

static int map_tree(struct shim *s, int tree, unsigned how, uint32_t users) {
  struct mount_attributes a = {.set = ATTR_IDMAP, .userns_fd = (uint64_t)s->slots[users]};
  s->step = "mount_setattr";
  if (s->slots[users] < 0)
    return EBADF;
  return sys_mount_setattr(tree, AT_EMPTY_PATH | how, &a) < 0 ? errno : 0;
}

/* Of `tree` and `child_tree`, in the mount namespace of this moment. */
static int clone_tree(struct shim *s, const struct op *o, int *tree) {
  unsigned how = op_u32(o, 2) & BIND_RECURSIVE ? AT_RECURSIVE : 0;
  s->step = "open_tree";
  *tree = sys_open_tree(AT_FDCWD, op_str(o, 1), how);
  if (*tree < 0)
    return errno;
  unsigned below = op_u32(o, 2) & BIND_ATTR_RECURSIVE ? AT_RECURSIVE : 0;
  return op_u32(o, 3) == NO_SLOT ? 0 : map_tree(s, *tree, below, op_u32(o, 3));
}

static int op_tree(struct shim *s, const struct op *o) {
  int tree, error = clone_tree(s, o, &tree);
  if (tree >= 0)
    fill_slot(s, op_u32(o, 0), tree);
  return error;
}

struct helper {
  struct shim *s;
  const struct op *op;
  int error, tree;
};

/* Puts an ID-mapped copy of the directory over itself. */
static int map_in_place(struct shim *s, const char *path, uint32_t users) {
  s->step = "open_tree";
  scoped_fd tree = sys_open_tree(AT_FDCWD, path, 0);
  scoped_fd place = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (tree < 0 || place < 0)
    return errno;
  int error = map_tree(s, tree, 0, users);
  if (error)
    return error;
  s->step = "move_mount";
  return sys_move_mount(tree, place) < 0 ? errno : 0;
}

/*
 * Overlay works on its layers as who mounted it, and the host's root has no id in a mapped layer. Changing the id for
 * file access takes the capabilities for it out of the effective set (capabilities(7)): they come back.
 */
static int become_root_inside(uid_t uid, gid_t gid) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) < 0)
    return errno;
  setfsgid(gid);
  setfsuid(uid);
  return syscall(SYS_capset, &header, data) < 0 ? errno : 0;
}

static int mount_overlay(struct helper *h) {
  struct shim *s = h->s;
  const char *base = op_str(h->op, 2);
  const uint8_t *at = h->op->f[3].bytes;
  s->step = "private";
  if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 || chdir(base) < 0)
    return errno;
  for (uint64_t i = 0; i < h->op->f[3].number; i++) {
    int error = map_in_place(s, next_str(&at), op_u32(h->op, 1));
    if (error)
      return error;
  }
  s->step = "become the root inside";
  int error = become_root_inside(op_u32(h->op, 5), op_u32(h->op, 6));
  if (error)
    return error;
  s->step = "mount";
  if (mount("overlay", ".", "overlay", 0, op_str(h->op, 4)) < 0)
    return errno;
  s->step = "clone of the overlay";
  h->tree = sys_open_tree(AT_FDCWD, base, 0);
  return h->tree < 0 ? errno : 0;
}

/* A mount can be copied from within its mount namespace only. Symlinks would be those of the container. */
static int open_tree_in(struct helper *h) {
  struct shim *s = h->s;
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
  s->step = "setns";
  if (setns(s->slots[op_u32(h->op, 1)], CLONE_NEWNS) < 0)
    return errno;
  s->step = "open";
  scoped_fd place = sys_openat2(AT_FDCWD, op_str(h->op, 2), &how);
  if (place < 0)
    return errno;
  s->step = "open_tree";
  h->tree = sys_open_tree(place, "", AT_EMPTY_PATH);
  return h->tree < 0 ? errno : 0;
}

static int open_child_tree(struct helper *h) {
  char path[32];
  struct text t = text_in(path, sizeof path);
  text_str(&t, "/proc/");
  text_number(&t, (uint64_t)h->s->child);
  text_str(&t, "/ns/mnt");
  h->s->step = "setns";
  scoped_fd namespace = open(path, O_RDONLY | O_CLOEXEC);
  if (namespace < 0 || setns(namespace, CLONE_NEWNS) < 0)
    return errno;
  return clone_tree(h->s, h->op, &h->tree);
}

/* Shares memory and descriptors with the shim, which waits for it (CLONE_VFORK). */
static int run_helper(void *argument) {
  struct helper *h = argument;
  switch (h->op->code) {
  case OP_TREE_IN:
    h->error = open_tree_in(h);
    break;
  case OP_CHILD_TREE:
    h->error = open_child_tree(h);
    break;
  default:
    h->error = mount_overlay(h);
  }
  return 0;
}

/* Overlay takes attached layers only (until Linux 6.15), so its layers are mapped in a mount namespace for the moment. */
static int op_by_helper(struct shim *s, const struct op *o) {
  struct helper h = {.s = s, .op = o, .tree = -1};
  s->step = "helper";
  uint8_t *stack =
      mmap(NULL, HELPER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_GROWSDOWN, -1, 0);
  if (stack == MAP_FAILED)
    return errno;
  pid_t pid = clone(run_helper, stack + HELPER_STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWNS, &h);
  int error = pid < 0 ? errno : 0;
  if (pid > 0)
    waitpid(pid, NULL, __WALL);
  munmap(stack, HELPER_STACK);
  if (error)
    return error;
  if (!h.error)
    fill_slot(s, op_u32(o, 0), h.tree);
  else
    close_fd(&h.tree);
  return h.error;
}

static bool is_used_behind(const struct shim *s, uint32_t index, uint32_t slot) {
  for (uint32_t i = index + 1; i < s->program.count; i++)
    if (s->program.ops[i].code == OP_CHILD_TREE && op_u32(&s->program.ops[i], 3) == slot)
      return true;
  return false;
}

/* Of the operations behind the one that runs now only `child_tree` uses what is in a slot of the shim's. */
void close_slots(struct shim *s) {
  for (uint32_t i = 0; i < SLOTS; i++)
    if (s->slots[i] >= 0 && !is_used_behind(s, s->next, i))
      close_fd(&s->slots[i]);
}

/* What the child has mounted by now: it gets the copy over their socket. */
static int op_child_tree(struct shim *s, const struct op *o) {
  int error = op_by_helper(s, o);
  if (error)
    return error;
  struct sync_message m = {.type = SYNC_SLOT, .index = op_u32(o, 0)};
  s->step = "sendmsg";
  error = send_sync(s->sync.fd, &m, &s->slots[m.index], 1);
  close_slots(s);
  return error;
}

/* Writes /proc/<child>/`name`, where the child's own root may not. */
static int op_child_proc(struct shim *s, const struct op *o) {
  return write_map(s, s->child, op_str(o, 0), &o->f[1]);
}

int tree_op(struct shim *s, const struct op *o) {
  switch (o->code) {
  case OP_USER_NAMESPACE:
    return op_user_namespace(s, o);
  case OP_TREE:
    return op_tree(s, o);
  case OP_OVERLAY_TREE:
  case OP_TREE_IN:
    return op_by_helper(s, o);
  case OP_CHILD_TREE:
    return op_child_tree(s, o);
  case OP_CHILD_PROC:
    return op_child_proc(s, o);
  default:
    return shared_op(s, o);
  }
}
