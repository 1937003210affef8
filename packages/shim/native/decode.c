#include "decode.h"

#define RECORD_HEADER 8u

#define X(id, number, where, text, kind_list, field_list)                                                              \
  {.code = number, .side = SIDE_##where, .name = text, .kinds = kind_list, .fields = field_list},
static const struct op_spec specs[] = {OPS(X)};
#undef X

const struct op_spec *op_spec(uint16_t code) {
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
    if (specs[i].code == code)
      return &specs[i];
  return NULL;
}

uint32_t count_ops(const uint8_t *data, size_t size) {
  uint32_t count = 0;
  while (size) {
    if (size < RECORD_HEADER || count == PROGRAM_OPS_MAX)
      return 0;
    uint32_t length = get32(data + 4);
    if (length > size - RECORD_HEADER)
      return 0;
    data += RECORD_HEADER + length;
    size -= RECORD_HEADER + length;
    count++;
  }
  return count;
}

struct cursor {
  const uint8_t *at;
  size_t left;
};

static bool take(struct cursor *c, size_t n, const uint8_t **out) {
  if (n > c->left)
    return false;
  *out = c->at;
  c->at += n;
  c->left -= n;
  return true;
}

/* str = u32 length, bytes, NUL; no NUL inside. */
static bool take_str(struct cursor *c, struct field *f) {
  const uint8_t *p;
  if (!take(c, 4, &p))
    return false;
  uint32_t length = get32(p);
  if (length > PROGRAM_MAX || !take(c, (size_t)length + 1, &p) || memchr(p, 0, (size_t)length + 1) != p + length)
    return false;
  *f = (struct field){.number = length, .bytes = p};
  return true;
}

static bool take_field(struct cursor *c, char kind, struct field *f) {
  const uint8_t *p;
  switch (kind) {
  case 'I':
    if (!take(c, 4, &p))
      return false;
    f->number = get32(p);
    return true;
  case 'L':
    if (!take(c, 8, &p))
      return false;
    f->number = get64(p);
    return true;
  case 'S':
    return take_str(c, f);
  case 'B':
    if (!take(c, 4, &p))
      return false;
    f->number = get32(p);
    return take(c, f->number, &f->bytes);
  case 'V':
    if (!take(c, 4, &p))
      return false;
    *f = (struct field){.number = get32(p), .bytes = c->at};
    for (uint64_t i = 0; i < f->number; i++) {
      struct field each;
      if (!take_str(c, &each))
        return false;
    }
    return true;
  default:
    return false;
  }
}

const char *next_str(const uint8_t **at) {
  const char *s = (const char *)*at + 4;
  *at += 4 + get32(*at) + 1;
  return s;
}

/* What a single record must obey beyond its shape. */
static bool check_values(const struct op *o) {
  switch (o->code) {
  case OP_OPEN:
  case OP_CLONE_IN:
  case OP_SETNS:
  case OP_USER_NAMESPACE:
  case OP_ATTACH:
    return op_u32(o, 0) < SLOTS;
  case OP_TREE_IN:
    return op_u32(o, 0) < SLOTS && op_u32(o, 1) < SLOTS && *op_str(o, 2) == '/';
  case OP_TREE:
  case OP_CHILD_TREE:
    return op_u32(o, 0) < SLOTS && (op_u32(o, 3) < SLOTS || op_u32(o, 3) == NO_SLOT);
  case OP_OVERLAY_TREE:
    return op_u32(o, 0) < SLOTS && op_u32(o, 1) < SLOTS && *op_str(o, 2) == '/';
  case OP_CHILD_PROC:
    return !path_is_dotted(op_str(o, 0));
  case OP_FORWARD:
    return (op_u32(o, 0) == 6 || op_u32(o, 0) == 17 || op_u32(o, 0) == 132) && op_u32(o, 2) <= 65535 &&
           op_u32(o, 4) <= 65535;
  case OP_RESOLVER:
    return op_u32(o, 0) > 0 && op_u32(o, 0) <= 65535;
  case OP_OOM_WATCH:
    return op_u32(o, 1) == 1 || op_u32(o, 1) == 2;
  case OP_NETLINK: /* struct nlmsghdr is 16 bytes; the first one may be that of a batch */
    return o->f[0].number >= 16 && get32(o->f[0].bytes) >= 16 && get32(o->f[0].bytes) <= o->f[0].number &&
           op_u32(o, 1) <= o->f[0].number - 4;
  case OP_DEVICE_BPF:
    return o->f[1].number > 0 && o->f[1].number % 8 == 0;
  case OP_SECCOMP:
    return o->f[0].number > 0 && o->f[0].number % 8 == 0 && o->f[0].number / 8 <= 65535;
  case OP_SCHED_ATTR: /* SCHED_ATTR_SIZE_VER0 of sched_setattr(2) */
    return o->f[0].number == 48 && get32(o->f[0].bytes) == 48;
  case OP_SET_MEMPOLICY: /* whole words; MAX_NUMNODES is 1024 at most */
    return o->f[1].number % 8 == 0 && o->f[1].number <= 128;
  case OP_USER:
    return o->f[2].number % 4 == 0 && o->f[2].number / 4 <= 65536;
  case OP_HANDOVER:
    return op_u32(o, 0) <= HANDOVER_FOREGROUND && op_u32(o, 1) <= 1024;
  case OP_LABEL:
    return !path_is_dotted(op_str(o, 0));
  case OP_EXEC:
    return o->f[0].number > 0 && get32(o->f[0].bytes) > 0;
  case OP_RESTORE:
    return (*op_str(o, 0) == '/' || o->f[3].number > 0) && o->f[1].number > 0 && *op_first(o, 1) == '/';
  default:
    return true;
  }
}

/* Behind it the host finishes the work. */
static bool is_last_of_child(const struct program *p, uint32_t i) {
  while (++i < p->count)
    if (p->ops[i].side == SIDE_CHILD)
      return false;
  return true;
}

/* Host operations that need nothing from the child, behind a run of its operations, and before another. */
static bool check_beside(const struct program *p, uint32_t i) {
  const struct op *o = &p->ops[i], *before = &p->ops[i - 1];
  bool is_possible = o->side == SIDE_HOST && o->code != OP_PAUSE && o->code != OP_HOLD && o->code != OP_CHILD_TREE;
  return is_possible && (before->side == SIDE_CHILD || before->is_beside) && !is_last_of_child(p, i);
}

/* Where the child waits for more than its turn. */
static bool waits(const struct op *o) {
  return o->code == OP_WAIT_START || o->code == OP_GATE || o->code == OP_HOLD;
}

/* Where a record may stand: one clone, child records after it, exec last and supervised only, hold last and task only.
 */
static bool check_place(const struct program *p, uint32_t i, bool cloned) {
  const struct op *o = &p->ops[i];
  bool supervised = is_supervised(p), last = i + 1 == p->count;
  if (o->side == SIDE_CHILD && !cloned)
    return false;
  switch (o->code) {
  case OP_RUNTIME_DIR:
  case OP_HANDOVER:
    return i == 0 && !o->optional;
  case OP_CLONE:
    return !cloned && !o->optional;
  case OP_EXEC:
    return supervised && last && !o->optional;
  case OP_RESTORE:
    return supervised && is_last_of_child(p, i) && !o->optional;
  case OP_HOLD:
    return !supervised && last && !o->optional;
  case OP_WAIT_START:
    return supervised && !is_handover(p) && !o->optional;
  case OP_PAUSE:
    return is_handover(p) && !o->optional;
  case OP_GATE:
    return is_handover(p) && p->ops[p->count - 1].code == OP_EXEC && !o->optional;
  case OP_CONSOLE_SOCKET:
  case OP_EXEC_FIFO:
    return is_handover(p) && !cloned;
  case OP_LOG_JSON:
  case OP_STDIO:
  case OP_EXPECT_ATTACH:
  case OP_FORWARD:
  case OP_JOIN:
  case OP_OPEN:
  case OP_CLONE_IN:
  case OP_TIME_NAMESPACE:
  case OP_USER_NAMESPACE:
  case OP_TREE:
  case OP_TREE_IN:
  case OP_OVERLAY_TREE:
    return !cloned;
  case OP_PIDFD_SOCKET:
    return is_handover(p) && cloned;
  case OP_CHILD_PROC:
  case OP_WRITE_PID:
  case OP_ID_MAP:
  case OP_NET_DEVICE:
  case OP_CHILD_TREE:
    return cloned;
  case OP_RESOLVER:
    return supervised && cloned;
  default:
    return true;
  }
}

int decode_program(const uint8_t *data, size_t size, struct program *program, uint32_t *bad) {
  *bad = 0;
  program->count = count_ops(data, size);
  if (program->count == 0)
    return EBADMSG;
  for (uint32_t i = 0; i < program->count; i++) {
    struct op *o = &program->ops[i];
    const struct op_spec *spec = op_spec((uint16_t)(data[0] | data[1] << 8));
    struct cursor c = {.at = data + RECORD_HEADER, .left = get32(data + 4)};
    *bad = i;
    if (!spec)
      return EOPNOTSUPP;
    *o = (struct op){.code = spec->code,
                     .side = data[2],
                     .optional = data[3] & OP_FLAG_OPTIONAL,
                     .is_beside = data[3] & OP_FLAG_BESIDE};
    if (o->side > SIDE_CHILD || (spec->side != SIDE_ANY && spec->side != o->side) ||
        data[3] > (OP_FLAG_OPTIONAL | OP_FLAG_BESIDE))
      return EBADMSG;
    for (int k = 0; spec->kinds[k]; k++)
      if (!take_field(&c, spec->kinds[k], &o->f[k]))
        return EBADMSG;
    if (c.left)
      return EBADMSG;
    if (!check_values(o))
      return EINVAL;
    data = c.at;
  }
  bool cloned = false, has_waited = false;
  for (uint32_t i = 0; i < program->count; i++) {
    *bad = i;
    if (!check_place(program, i, cloned))
      return EINVAL;
    if (program->ops[i].is_beside && (!cloned || has_waited || !check_beside(program, i)))
      return EINVAL;
    cloned = cloned || program->ops[i].code == OP_CLONE;
    has_waited = has_waited || waits(&program->ops[i]);
  }
  uint32_t last = program->count - 1;
  while (last && program->ops[last].side == SIDE_HOST)
    last--;
  uint16_t end = program->ops[last].code;
  if (is_supervised(program) && end != OP_RESTORE && (end != OP_EXEC || last + 1 != program->count))
    return EINVAL;
  return 0;
}

bool is_supervised(const struct program *program) {
  return program->ops[0].code == OP_RUNTIME_DIR || is_handover(program);
}

bool is_handover(const struct program *program) {
  return program->ops[0].code == OP_HANDOVER;
}

static void print_op(const struct op_spec *spec) {
  static const char *const sides[] = {"host", "child", "any"};
  char line[512];
  struct text t = text_in(line, sizeof line);
  text_str(&t, "{\"op\":\"");
  text_str(&t, spec->name);
  text_str(&t, "\",\"code\":");
  text_number(&t, spec->code);
  text_str(&t, ",\"side\":\"");
  text_str(&t, sides[spec->side]);
  text_str(&t, "\",\"fields\":{");
  const char *name = spec->fields;
  for (int k = 0; spec->kinds[k]; k++) {
    size_t n = strcspn(name, " ");
    char kind = spec->kinds[k];
    text_str(&t, k ? ",\"" : "\"");
    text_bytes(&t, name, n);
    text_str(&t, "\":\"");
    text_str(&t, kind == 'I' ? "u32" : kind == 'L' ? "u64" : kind == 'S' ? "str" : kind == 'V' ? "strs" : "bytes");
    text_str(&t, "\"");
    name += n + (name[n] == ' ');
  }
  text_str(&t, "}}\n");
  write_all(STDOUT_FILENO, line, (size_t)(t.at - line));
}

static void print_frame(const char *name, uint32_t type) {
  char line[128];
  struct text t = text_in(line, sizeof line);
  text_str(&t, "{\"frame\":\"");
  text_str(&t, name);
  text_str(&t, "\",\"type\":");
  text_number(&t, type);
  text_str(&t, "}\n");
  write_all(STDOUT_FILENO, line, (size_t)(t.at - line));
}

void print_protocol(void) {
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
    print_op(&specs[i]);
#define X(id, type) print_frame(#id, type);
  FRAMES(X)
#undef X
}
