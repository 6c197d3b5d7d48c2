// C twin of bench/workloads/sh8bench.ts. A foreign block contains the low half of its slot's
// address and its number, since both have to fit into 8 bytes.

#include "saved-ring.h"

#include <stdbool.h>

static const struct {
  uint32_t bytes, weight;
} histogram[] = {{8, 1000},  {16, 5000}, {48, 1000}, {72, 100}, {148, 100},  {200, 100},
                 {520, 10},  {1056, 5},  {4096, 3},  {9162, 1}, {34562, 1}, {168524, 1}};

enum { SIZES = 7321, SEED = 8, FOREIGN_BYTES = 8, BODY_ROUNDS = 2000, SLOTS = 4096 };

typedef struct {
  _Alignas(64) atomic_int made;
  _Alignas(64) atomic_int taken;
  _Alignas(64) uint32_t *slots[SLOTS];
} inbox;

static uint32_t sizes[SIZES];

static void shuffle_sizes(void) {
  int count = 0;
  for (size_t n = 0; n < sizeof histogram / sizeof *histogram; n++) {
    for (uint32_t i = 0; i < histogram[n].weight; i++) sizes[count++] = histogram[n].bytes;
  }
  uint32_t x = SEED;
  for (int n = SIZES - 1; n > 0; n--) {
    int other = (int)((xorshift(&x) >> 1) % (uint32_t)(n + 1));
    uint32_t moved = sizes[other];
    sizes[other] = sizes[n];
    sizes[n] = moved;
  }
}

static long smallest(long a, long b) { return a < b ? a : b; }

static uint32_t name_of(uint32_t **slot) { return (uint32_t)(uintptr_t)slot; }

static int made_of(inbox *in) { return atomic_load_explicit(&in->made, memory_order_relaxed); }
static int taken_of(inbox *in) { return atomic_load_explicit(&in->taken, memory_order_relaxed); }

static bool give(inbox *in, long owed) {
  int made = made_of(in);
  int full = atomic_load(&in->taken) + SLOTS;
  int end = (int)smallest(smallest(owed, full), made + BODY_ROUNDS);
  for (int n = made; n < end; n++) {
    uint32_t *block = malloc(FOREIGN_BYTES);
    uint32_t **slot = &in->slots[n & (SLOTS - 1)];
    block[0] = name_of(slot);
    block[1] = (uint32_t)n;
    *slot = block;
  }
  if (end > made) announce(&in->made, end);
  return end > made;
}

static uint32_t take(inbox *in) {
  int taken = taken_of(in);
  int end = (int)smallest(atomic_load(&in->made), taken + BODY_ROUNDS);
  uint32_t sum = 0;
  for (int n = taken; n < end; n++) {
    uint32_t **slot = &in->slots[n & (SLOTS - 1)];
    uint32_t *block = *slot;
    if (block[0] != name_of(slot)) fail("sh8bench: payload");
    sum += block[1];
    free(block);
  }
  if (end > taken) announce(&in->taken, end);
  return sum;
}

void *setup(const run *r) {
  shuffle_sizes();
  size_t bytes = (size_t)r->threads * sizeof(inbox);
  inbox *all = need(aligned_alloc(_Alignof(inbox), bytes));
  memset(all, 0, bytes);
  return all;
}

outcome work(const part *p) {
  const long *q = p->run->parameters;
  long blocks = q[1], foreign = q[2];
  inbox *all = p->root, *own = &all[p->index], *end = all + p->run->threads;
  uint32_t checksum = 0;
  uint32_t place = seed_from(SEED, (uint32_t)p->index) % SIZES;
  saved_ring ring;
  ring_open(&ring, q[0]);
  for (long n = 0; n < blocks;) {
    for (long last = smallest(n + BODY_ROUNDS, blocks); n < last; n++) {
      uint32_t bytes = sizes[place];
      place = place + 1 == SIZES ? 0 : place + 1;
      unsigned char *block = malloc(bytes);
      block[0] = (unsigned char)n;
      block[bytes - 1] = (unsigned char)n;
      ring_put(&ring, block);
    }
    long owed = (long)((double)foreign * ((double)n / (double)blocks));
    for (inbox *in = all; p->index == 0 && in < end; in++) give(in, owed);
    checksum += take(own);
  }
  for (inbox *in = all; p->index == 0 && in < end; in++) {
    while (made_of(in) < foreign) {
      if (give(in, foreign)) continue;
      if (in == own) checksum += take(own);
      else wait_for(&in->taken, made_of(in) - SLOTS + 1);
    }
  }
  while (taken_of(own) < foreign) {
    wait_for(&own->made, taken_of(own) + 1);
    checksum += take(own);
  }
  return (outcome){(uint64_t)(blocks + foreign), checksum + ring_close(&ring)};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  free(root);
  return 0;
}
