// C twin of bench/workloads/larson.ts. After each generation a part's thread starts its successor
// and ends, as in the original.

#include "harness.h"

enum { BYTES_MIN = 8, BYTES_MAX = 1000, SEED = 4141 };
enum { MULTIPLIER = 1366, INCREMENT = 150889, MODULUS = 714025, TABLE = 97 };

typedef struct {
  int table[TABLE];
  int x, last;
} generator;

static int step(generator *g) {
  g->x = (int)(((int64_t)MULTIPLIER * g->x + INCREMENT) % MODULUS);
  return g->x;
}

static void seed(generator *g, uint32_t value) {
  g->x = (int)(value % MODULUS);
  for (int n = 0; n < TABLE; n++) g->table[n] = step(g);
  g->last = step(g);
}

static int draw(generator *g) {
  int place = g->last % TABLE;
  g->last = g->table[place];
  g->table[place] = step(g);
  return g->last;
}

static unsigned char *make(generator *g) {
  size_t bytes = BYTES_MIN + (size_t)(draw(g) % (BYTES_MAX - BYTES_MIN));
  unsigned char *block = malloc(bytes);
  block[0] = (unsigned char)bytes;
  block[1] = (unsigned char)(bytes >> 8);
  return block;
}

static uint32_t replace(generator *g, unsigned char **slots, long count, long rounds) {
  uint32_t sum = 0;
  for (long n = 0; n < rounds; n++) {
    unsigned char **slot = &slots[draw(g) % count];
    sum += (*slot)[0];
    free(*slot);
    *slot = make(g);
  }
  return sum;
}

void *setup(const run *r) {
  long count = r->parameters[0] * r->threads;
  unsigned char **slots = need(malloc((size_t)count * sizeof *slots));
  generator g;
  seed(&g, SEED);
  for (long n = 0; n < count; n++) slots[n] = make(&g);
  for (long n = count - 1; n > 0; n--) {
    long other = draw(&g) % (n + 1);
    unsigned char *moved = slots[other];
    slots[other] = slots[n];
    slots[n] = moved;
  }
  replace(&g, slots, count, 4 * count);
  return slots;
}

typedef struct {
  const part *part;
  int generation;
  uint32_t checksum;
  atomic_int done;
} life;

static void *live(void *argument) {
  life *l = argument;
  const long *p = l->part->run->parameters;
  unsigned char **slots = (unsigned char **)l->part->root + l->part->index * p[0];
  generator g;
  seed(&g, seed_from((uint32_t)l->part->index, (uint32_t)l->generation));
  l->checksum += replace(&g, slots, p[0], p[1] * p[0]);
  l->generation++;
  pthread_t successor;
  if (l->generation == p[2]) announce(&l->done, 1);
  else if (pthread_create(&successor, NULL, live, l)) fail("no thread");
  else pthread_detach(successor);
  return NULL;
}

outcome work(const part *p) {
  life l = {.part = p};
  live(&l);
  wait_for(&l.done, 1);
  const long *q = p->run->parameters;
  return (outcome){(uint64_t)(q[0] * q[1] * q[2]), l.checksum};
}

uint32_t finish(const run *r, void *root) {
  unsigned char **slots = root;
  uint32_t checksum = 0;
  for (long n = 0; n < r->parameters[0] * r->threads; n++) {
    checksum += slots[n][0];
    free(slots[n]);
  }
  free(slots);
  return checksum;
}
