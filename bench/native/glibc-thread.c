// C twin of bench/workloads/glibc-thread.ts.

#include "harness.h"

enum { SLOTS = 1024, BYTES_MIN = 4, BYTES_MAX = 32768, SIZES = 8000, OFFSETS = 4096 };
enum { SEED = 88, DRAWN_MAX = 65535 };

typedef struct {
  unsigned char *block;
  uint32_t bytes;
  unsigned char mark;
} slot;

static uint16_t sizes[SIZES], offsets[OFFSETS];

static uint16_t inverse_square(uint32_t drawn) {
  uint64_t above = (uint64_t)BYTES_MIN * BYTES_MAX * DRAWN_MAX;
  return (uint16_t)(above / ((uint64_t)BYTES_MAX * DRAWN_MAX -
                             (uint64_t)(BYTES_MAX - BYTES_MIN) * drawn));
}

void *setup(const run *r) {
  (void)r;
  uint32_t x = seed_from(SEED, 0);
  for (int n = 0; n < SIZES; n++) sizes[n] = inverse_square(xorshift(&x) >> 16);
  for (int n = 0; n < OFFSETS; n++) offsets[n] = xorshift(&x) % SLOTS;
  return NULL;
}

static uint32_t release(const slot *s) {
  if (s->block == NULL) return 0;
  unsigned char last = s->block[s->bytes - 1];
  if (s->block[0] != s->mark || last != s->mark) fail("payload");
  free(s->block);
  return s->bytes + last;
}

outcome work(const part *p) {
  long rounds = p->run->parameters[0];
  slot *slots = need(calloc(SLOTS, sizeof *slots));
  uint32_t checksum = 0;
  for (long n = 0; n < rounds; n++) {
    slot *s = &slots[offsets[n % OFFSETS]];
    checksum += release(s);
    s->bytes = sizes[n % SIZES];
    s->mark = (unsigned char)((n + p->index) & 127);
    s->block = need(malloc(s->bytes));
    memset(s->block, s->mark, s->bytes);
  }
  for (int n = 0; n < SLOTS; n++) checksum += release(&slots[n]);
  free(slots);
  return (outcome){(uint64_t)rounds, checksum};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  (void)root;
  return 0;
}
