// C twin of bench/workloads/threadtest.ts.

#include "harness.h"

void *setup(const run *r) {
  (void)r;
  return NULL;
}

outcome work(const part *p) {
  const long *q = p->run->parameters;
  long rounds = q[0], count = q[1] / p->run->threads;
  size_t bytes = (size_t)q[2];
  int32_t **blocks = need(malloc((size_t)count * sizeof *blocks));
  uint32_t checksum = 0;
  for (long round = 0; round < rounds; round++) {
    int32_t seed = (int32_t)((p->index << 16) + round);
    for (long n = 0; n < count; n++) {
      int32_t *block = need(malloc(bytes));
      block[0] = (int32_t)n;
      block[1] = seed;
      blocks[n] = block;
    }
    for (long n = 0; n < count; n++) {
      int32_t *block = blocks[n];
      if (block[0] != n) fail("payload");
      checksum += (uint32_t)block[1];
      free(block);
    }
  }
  free(blocks);
  return (outcome){(uint64_t)(rounds * count), checksum};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  (void)root;
  return 0;
}
