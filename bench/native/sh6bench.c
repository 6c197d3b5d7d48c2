// C twin of bench/workloads/sh6bench.ts.

#include "saved-ring.h"

enum { BASE_MAX = 1000, MANY_BYTES = 100, MANY = 250, FEW = 50 };

void *setup(const run *r) {
  (void)r;
  return NULL;
}

outcome work(const part *p) {
  const long *q = p->run->parameters;
  saved_ring ring;
  ring_open(&ring, q[0]);
  uint64_t done = 0;
  for (long round = 0; round < q[1]; round++) {
    for (size_t base = 1; base < BASE_MAX; base = base * 3 / 2 + 1) {
      for (size_t bytes = base; bytes > 0; bytes /= 2) {
        for (uint64_t end = done + (bytes < MANY_BYTES ? MANY : FEW); done < end; done++) {
          unsigned char *block = malloc(bytes);
          block[0] = (unsigned char)done;
          block[bytes - 1] = (unsigned char)done;
          ring_put(&ring, block);
        }
      }
    }
  }
  return (outcome){done, ring_close(&ring)};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  (void)root;
  return 0;
}
