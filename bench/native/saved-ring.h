// The ring of blocks of sh6bench.c and sh8bench.c: twin of bench/workloads/saved-ring.ts.

#ifndef SAVED_RING_H
#define SAVED_RING_H

#include "harness.h"

enum { PARTS = 5 };

typedef struct {
  unsigned char **start, **end, **cursor, **saved_start, **saved_end;
  uint32_t sum;
} saved_ring;

static inline void ring_open(saved_ring *r, long count) {
  r->start = need(malloc((size_t)count * sizeof *r->start));
  r->cursor = r->start;
  r->saved_start = r->saved_end = r->end = r->start + count;
  r->sum = 0;
}

static inline void ring_free_up(saved_ring *r, unsigned char **from, unsigned char **to) {
  for (; from < to; from++) {
    r->sum += **from;
    free(*from);
  }
}

static inline void ring_free_down(saved_ring *r, unsigned char **from, unsigned char **to) {
  while (to > from) {
    to--;
    r->sum += **to;
    free(*to);
  }
}

static inline void ring_turn(saved_ring *r) {
  long part = (r->end - r->start) / PARTS;
  r->saved_start = r->saved_end == r->end ? r->start : r->saved_end;
  r->saved_end = r->end - r->saved_start < part ? r->end : r->saved_start + part;
  ring_free_up(r, r->start, r->saved_start);
  ring_free_down(r, r->saved_end, r->end);
  r->cursor = r->saved_start == r->start ? r->saved_end : r->start;
}

static inline void ring_put(saved_ring *r, unsigned char *block) {
  *r->cursor++ = block;
  if (r->cursor == r->saved_start) r->cursor = r->saved_end;
  if (r->cursor == r->end) ring_turn(r);
}

static inline uint32_t ring_close(saved_ring *r) {
  ring_free_up(r, r->start, r->cursor);
  if (r->saved_start >= r->cursor) ring_free_up(r, r->saved_start, r->saved_end);
  free(r->start);
  return r->sum;
}

#endif
