// C twin of bench/workloads/cache-scratch.ts.

#include "cache-lines.h"

void *setup(const run *r) {
  unsigned char **given = need(calloc((size_t)r->threads, sizeof *given));
  for (int n = 0; n < r->threads; n++) {
    given[n] = need(malloc(1));
    *given[n] = (unsigned char)n;
  }
  return given;
}

outcome work(const part *p) {
  unsigned char *given = ((unsigned char **)p->root)[p->index];
  if (*given != (unsigned char)p->index) fail("payload");
  free(given);
  return write_lines(p);
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  free(root);
  return 0;
}
