// C twin of bench/workloads/mleak.ts. A life is a thread, ten at once, as in the original.

#include "harness.h"

enum { SLOTS = 1000, LIVES = 10, ITEMS = 16, ITEM_BYTES = 8 };
enum { LAST_WORD = ITEMS * ITEM_BYTES / 4 - 1 };

typedef _Atomic(uint32_t *) slot;

typedef struct {
  slot *slots;
  uint32_t round, place, checksum;
} life;

static uint32_t verify_and_free(uint32_t *block) {
  if (block == NULL) return 0;
  uint32_t number = block[0];
  if (block[LAST_WORD] != ~number) fail("mleak: payload");
  free(block);
  return number;
}

static void *live(void *argument) {
  life *l = argument;
  uint32_t *block = need(calloc(ITEMS, ITEM_BYTES));
  uint32_t number = l->round * LIVES + l->place + 1;
  if ((block[0] | block[LAST_WORD]) != 0) fail("mleak: calloc");
  block[0] = number;
  block[LAST_WORD] = ~number;
  slot *place = &l->slots[(seed_from(l->round, l->place) >> 8) % SLOTS];
  l->checksum = verify_and_free(atomic_exchange(place, block));
  return NULL;
}

void *setup(const run *r) {
  (void)r;
  return need(calloc(SLOTS, sizeof(slot)));
}

outcome work(const part *p) {
  outcome sum = {0};
  for (long round = p->index; round < p->run->parameters[0]; round += p->run->threads) {
    life lives[LIVES];
    pthread_t ids[LIVES];
    for (uint32_t n = 0; n < LIVES; n++) {
      lives[n] = (life){.slots = p->root, .round = (uint32_t)round, .place = n};
      if (pthread_create(&ids[n], NULL, live, &lives[n])) fail("no thread");
    }
    for (int n = 0; n < LIVES; n++) {
      pthread_join(ids[n], NULL);
      sum.checksum += lives[n].checksum;
    }
    sum.operations += LIVES;
  }
  return sum;
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  slot *slots = root;
  uint32_t checksum = 0;
  for (int n = 0; n < SLOTS; n++) checksum += verify_and_free(slots[n]);
  free(slots);
  return checksum;
}
