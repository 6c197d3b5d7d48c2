// C twin of bench/workloads/cache-scratch.ts.

#include "cache-lines.h"

enum { LINE_MASK = 63, HALF_LINE_BYTES = 32, ASIDE_MAX = 4 };

void *setup(const run *r) {
  unsigned char **given = need(calloc((size_t)r->threads + ASIDE_MAX, sizeof *given));
  unsigned char **aside = given + r->threads;
  unsigned char *block = need(malloc(1));
  for (int n = 0; n < ASIDE_MAX && ((uintptr_t)block & LINE_MASK) >= HALF_LINE_BYTES; n++) {
    aside[n] = block;
    block = need(malloc(1));
  }
  for (int n = 0; n < r->threads; n++) {
    if (n > 0) block = need(malloc(1));
    *block = (unsigned char)n;
    given[n] = block;
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
  unsigned char **aside = (unsigned char **)root + r->threads;
  for (int n = 0; n < ASIDE_MAX; n++) free(aside[n]);
  free(root);
  return 0;
}
