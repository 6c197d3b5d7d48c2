// C twin of bench/workloads/mstress.ts. Each round has new threads, as in the original.

#include "harness.h"

enum { SEED = 43, TRANSFERS = 1000, ALLOCATIONS_PER_SCALE = 100 };
enum { ITEM_BYTES = 8, ITEM_WORDS = 2, SHIFTS = 5, RETAINED_SHIFTS = 7, GROWTH = 100000 };
static const uint32_t COOKIE = 0x1ce4e5b9u;

typedef _Atomic(uint32_t *) slot;

typedef struct {
  _Alignas(64) atomic_int barrier;
  _Alignas(64) slot slots[TRANSFERS];
} shared;

typedef struct {
  shared *shared;
  int index;
  long count;
  uint32_t x, checksum;
} life;

static uint32_t pick(life *l, uint32_t count) {
  return (xorshift(&l->x) >> 8) % count;
}

static int chance(life *l, uint32_t percent) {
  return pick(l, 100) <= percent;
}

static uint32_t inflation(life *l) {
  if (!chance(l, 1)) return 1;
  if (chance(l, 1)) return 10000;
  return chance(l, 10) ? 1000 : 100;
}

static uint32_t *make(life *l, uint32_t shifts) {
  uint32_t items = 1u << pick(l, shifts);
  items *= inflation(l);
  uint32_t words = items * ITEM_WORDS;
  uint32_t *block = need(malloc((size_t)items * ITEM_BYTES));
  for (uint32_t n = 0; n < words; n++) block[n] = (words - n) ^ COOKIE;
  return block;
}

static void verify_and_free(life *l, uint32_t *block) {
  if (block == NULL) return;
  uint32_t words = block[0] ^ COOKIE;
  for (uint32_t n = 1; n < words; n++) {
    if ((block[n] ^ COOKIE) != words - n) fail("mstress: payload");
  }
  l->checksum += words;
  free(block);
}

static void free_all(life *l, uint32_t **blocks, long length) {
  for (long n = 0; n < length; n++) verify_and_free(l, blocks[n]);
  free(blocks);
}

static void *stress(void *argument) {
  life *l = argument;
  long to_make = l->count, to_retain = l->count / 2;
  uint32_t **retained = need(malloc((size_t)to_retain * sizeof *retained));
  uint32_t **list = NULL;
  long room = 0, length = 0, retained_length = 0;
  l->x = seed_from((uint32_t)l->index + 1, SEED);
  while (to_make + to_retain > 0) {
    if (to_retain == 0 || (chance(l, 50) && to_make > 0)) {
      to_make--;
      uint32_t *block = make(l, SHIFTS);
      if (length == room) {
        room += GROWTH;
        list = need(realloc(list, (size_t)room * sizeof *list));
      }
      list[length++] = block;
    } else {
      to_retain--;
      retained[retained_length++] = make(l, RETAINED_SHIFTS);
    }
    if (chance(l, 66) && length > 0) {
      uint32_t place = pick(l, (uint32_t)length);
      verify_and_free(l, list[place]);
      list[place] = NULL;
    }
    if (chance(l, 25) && length > 0) {
      uint32_t place = pick(l, (uint32_t)length);
      list[place] = atomic_exchange(&l->shared->slots[pick(l, TRANSFERS)], list[place]);
    }
  }
  free_all(l, retained, retained_length);
  free_all(l, list, length);
  return NULL;
}

static void empty_slots(life *l, long round, int all) {
  for (uint32_t n = 0; n < TRANSFERS; n++) {
    if (!all && (seed_from((uint32_t)round, n) >> 8) % 100 > 50) continue;
    verify_and_free(l, atomic_exchange(&l->shared->slots[n], NULL));
  }
}

void *setup(const run *r) {
  (void)r;
  shared *s = NULL;
  if (posix_memalign((void **)&s, _Alignof(shared), sizeof *s)) fail("no memory");
  memset(s, 0, sizeof *s);
  return s;
}

outcome work(const part *p) {
  long scale = p->run->parameters[0], rounds = p->run->parameters[1];
  long count = ALLOCATIONS_PER_SCALE * scale * (p->index % 8 + 1);
  life l = {.shared = p->root, .index = p->index, .count = count};
  for (long round = 0; round < rounds; round++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, stress, &l)) fail("no thread");
    pthread_join(thread, NULL);
    arrive(&l.shared->barrier, p->run->threads, (int)(2 * round + 1));
    if (p->index == 0) empty_slots(&l, round, round + 1 == rounds);
    arrive(&l.shared->barrier, p->run->threads, (int)(2 * round + 2));
  }
  return (outcome){(uint64_t)(rounds * (count + count / 2)), l.checksum};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  free(root);
  return 0;
}
