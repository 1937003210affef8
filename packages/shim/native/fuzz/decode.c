/* libFuzzer target of the decoder: `make fuzz && build/fuzz/decode -max_total_time=60 fuzz/corpus`. */
#include "../decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte that an accepted program promises. */
static void use(const struct program *program) {
  volatile size_t sum = 0;
  for (uint32_t i = 0; i < program->count; i++) {
    const struct op *o = &program->ops[i];
    const char *kinds = op_spec(o->code)->kinds;
    for (int k = 0; kinds[k]; k++) {
      const uint8_t *at = o->f[k].bytes;
      if (kinds[k] == 'S' && strlen(op_str(o, k)) != o->f[k].number)
        abort();
      for (uint64_t n = 0; kinds[k] == 'V' && n < o->f[k].number; n++)
        sum += strlen(next_str(&at));
      for (uint64_t n = 0; kinds[k] == 'B' && n < o->f[k].number; n++)
        sum += at[n];
    }
  }
  if (program->ops[program->count - 1].code == OP_EXEC)
    sum += strlen(op_first(&program->ops[program->count - 1], 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t bad, count = count_ops(data, size);
  struct program program = {.ops = count ? malloc(count * sizeof(struct op)) : NULL};
  if (program.ops && decode_program(data, size, &program, &bad) == 0)
    use(&program);
  free(program.ops);
  return 0;
}
