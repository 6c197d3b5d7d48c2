// C twin of bench/workloads/alloc-test.ts.

#include "harness.h"

enum { SEED = 41, LEVELS = 7 };

static const double probable[LEVELS] = {.262144, .393216, .24576, .08192, .01536, .001536, .000064};

typedef struct {
  void *block;
  uint32_t bytes;
} slot;

typedef struct {
  uint32_t limits[LEVELS], first[LEVELS], length[LEVELS];
  uint32_t x, sum;
} state;

static void lay_out(state *s, long count) {
  double sum = 0;
  uint32_t end = 0;
  for (int level = 0; level < LEVELS; level++) {
    sum += probable[level];
    double limit = 2147483648.0 * sum;
    s->limits[level] = limit < 2147483647.0 ? (uint32_t)limit : 2147483647u;
    uint32_t part = (uint32_t)((double)count * probable[LEVELS - 1 - level]);
    if (part == 0) part = 1;
    s->first[level] = end;
    s->length[level] = level == LEVELS - 1 ? (uint32_t)count - end : part;
    end += part;
  }
}

static void make(slot *at, uint32_t x) {
  uint32_t span = 4u << __builtin_ctz((x & 127) + 1);
  uint32_t bytes = ((x >> 7) & (span - 1)) + 1 + span;
  uint32_t *block = malloc(bytes);
  uint32_t words = bytes / 4;
  for (uint32_t n = 0; n < words; n++) block[n] = x;
  for (uint32_t n = words * 4; n < bytes; n++) ((unsigned char *)block)[n] = (unsigned char)x;
  *at = (slot){block, bytes};
}

static void drop(state *s, slot *at) {
  const uint32_t *block = at->block;
  uint32_t words = at->bytes / 4, sum = 0;
  for (uint32_t n = 0; n < words; n++) sum += block[n];
  for (uint32_t n = words * 4; n < at->bytes; n++) sum += ((const unsigned char *)block)[n];
  s->sum += sum;
  free(at->block);
  at->block = NULL;
}

static void operate(state *s, slot *slots, long rounds) {
  for (long n = 0; n < rounds; n++) {
    uint32_t draw = xorshift(&s->x) >> 1;
    int level = 0;
    while (level < LEVELS - 1 && draw >= s->limits[level]) level++;
    slot *at = &slots[s->first[level] + (xorshift(&s->x) >> 8) % s->length[level]];
    if (at->block != NULL) drop(s, at);
    else make(at, xorshift(&s->x));
  }
}

void *setup(const run *r) {
  (void)r;
  return NULL;
}

outcome work(const part *p) {
  const long count = p->run->parameters[0], rounds = p->run->parameters[1];
  slot *slots = need(malloc((size_t)count * sizeof *slots));
  state s = {.x = seed_from(SEED, (uint32_t)p->index)};
  lay_out(&s, count);
  for (long n = 0; n < count; n++) {
    if (xorshift(&s.x) >> 31) make(&slots[n], s.x);
    else slots[n].block = NULL;
  }
  operate(&s, slots, rounds);
  for (long n = 0; n < count; n++) {
    if (slots[n].block != NULL) drop(&s, &slots[n]);
  }
  free(slots);
  return (outcome){(uint64_t)rounds, s.sum};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  (void)root;
  return 0;
}
