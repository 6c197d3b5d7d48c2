// C twin of bench/workloads/cache-thrash.ts.

#include "cache-lines.h"

void *setup(const run *r) {
  (void)r;
  return NULL;
}

outcome work(const part *p) { return write_lines(p); }

uint32_t finish(const run *r, void *root) {
  (void)r;
  (void)root;
  return 0;
}
