// C twin of bench/workloads/glibc-simple.ts.

#include "harness.h"

static const long BLOCK_BYTES[] = {16, 32, 64};
static const long BLOCKS[] = {25, 100, 400, 1600};
enum { SIZES = 3, COUNTS = 4, BLOCKS_MAX = 1600 };

void *setup(const run *r) {
  (void)r;
  return NULL;
}

static void allocate(uint32_t **slots, long blocks, long bytes, uint32_t mark) {
  for (long n = 0; n < blocks; n++) {
    uint32_t *block = need(malloc((size_t)bytes));
    for (long word = 0; word < bytes / 4; word++) block[word] = mark + (uint32_t)n;
    slots[n] = block;
  }
}

static uint32_t release(uint32_t *block, long bytes, uint32_t expected) {
  if (block[0] != expected) fail("payload");
  uint32_t last = block[bytes / 4 - 1];
  free(block);
  return last;
}

static uint32_t repeat(uint32_t **slots, long blocks, long bytes, uint32_t mark) {
  allocate(slots, blocks, bytes, mark);
  long half = blocks / 2;
  uint32_t sum = 0;
  for (long n = 0; n < half; n++) sum += release(slots[n], bytes, mark + (uint32_t)n);
  for (long n = blocks - 1; n >= half; n--) sum += release(slots[n], bytes, mark + (uint32_t)n);
  return sum;
}

outcome work(const part *p) {
  long in_all = p->run->parameters[0];
  uint32_t **slots = need(malloc(BLOCKS_MAX * sizeof *slots));
  uint32_t checksum = 0;
  for (int size = 0; size < SIZES; size++) {
    for (int count = 0; count < COUNTS; count++) {
      long repeats = in_all / BLOCKS[count];
      for (long n = 0; n < repeats; n++) {
        uint32_t mark = ((uint32_t)p->index << 24) + (uint32_t)n;
        checksum += repeat(slots, BLOCKS[count], BLOCK_BYTES[size], mark);
      }
    }
  }
  free(slots);
  return (outcome){(uint64_t)(SIZES * COUNTS * in_all), checksum};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  (void)root;
  return 0;
}
