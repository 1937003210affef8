/* What the operations on the root filesystem share; each answers 0 or an errno, with s->step set. */
#ifndef ROOTFS_H
#define ROOTFS_H

#include "shim.h"

/* What a missing component becomes. */
struct making {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  int steps;
};

/* rootfs.c: paths are resolved by openat2(RESOLVE_IN_ROOT); `ensure` makes what is missing, `out` is opened with O_PATH
 */
int open_in_root(const struct shim *s, const char *path, uint64_t flags, uint64_t resolve);
/* EXDEV: a symlink leads out of the directory; an absolute one always does. */
int open_beneath(int directory, const char *path, uint64_t flags);
int ensure(struct shim *s, const char *path, bool directory, struct making *m, int *out);
int ensure_target(struct shim *s, const char *path, uint64_t resolve, int *out, bool *made);
int refuse_hidden_proc(struct shim *s, const char *path, int target);
void leave_place(struct shim *s);

/* bind.c */
int op_bind(struct shim *s, const struct op *o);
int op_attach(struct shim *s, const struct op *o);

/* hide.c */
int op_keep_null(struct shim *s);
int op_mask(struct shim *s, const struct op *o);
int op_readonly(struct shim *s, const struct op *o);

/* pivot.c */
int op_propagation(struct shim *s, const struct op *o);
int op_pivot_root(struct shim *s);
int op_move_root(struct shim *s);

#endif
