// C twin of bench/workloads/malloc-large.ts.

#include "harness.h"

enum { SEED = 42 };

typedef struct {
  uint32_t *buffer;
  size_t words;
} slot;

// A number below `count`, of up to 31 bits.
static uint32_t pick(uint32_t *x, long count) {
  return (xorshift(x) >> 1) % (uint32_t)count;
}

static uint32_t verify_and_free(slot *s) {
  if (s->buffer == NULL) return 0;
  uint32_t mark = s->buffer[0];
  if (s->buffer[s->words - 1] != mark) fail("malloc-large: last word");
  if (s->buffer[s->words / 2] != 0) fail("malloc-large: middle");
  free(s->buffer);
  return mark;
}

static uint32_t replace(slot *s, size_t bytes, uint32_t mark) {
  uint32_t *buffer = need(malloc(bytes));
  size_t words = bytes / 4;
  memset(buffer, 0, words * 4);
  buffer[0] = buffer[words - 1] = mark;
  uint32_t before = verify_and_free(s);
  *s = (slot){buffer, words};
  return before;
}

void *setup(const run *r) {
  return need(calloc((size_t)r->parameters[1], sizeof(slot)));
}

outcome work(const part *p) {
  const long *q = p->run->parameters;
  slot *slots = p->root;
  uint32_t x = SEED, checksum = 0;
  for (long n = 0; n < q[0]; n++) {
    slot *s = &slots[pick(&x, q[1])];
    size_t bytes = (size_t)q[2] + pick(&x, q[3] - q[2]);
    checksum += replace(s, bytes, xorshift(&x));
  }
  return (outcome){(uint64_t)q[0], checksum};
}

uint32_t finish(const run *r, void *root) {
  slot *slots = root;
  uint32_t checksum = 0;
  for (long n = 0; n < r->parameters[1]; n++) checksum += verify_and_free(&slots[n]);
  free(slots);
  return checksum;
}
