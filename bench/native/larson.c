// C twin of bench/workloads/larson.ts. A thread that leaves a part starts its successor and ends, as in
// the original.

#include "harness.h"

#include <stdbool.h>

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

typedef struct {
  unsigned char **slots;
  pthread_mutex_t lock;
  // Parts that are free, and how often each was left; the part that was left first comes first.
  int length;
  struct { int part, generation; } queue[1024];
} shared;

static shared all;

void *setup(const run *r) {
  int parts = r->threads + 1;
  long count = r->parameters[0] * parts;
  all.slots = need(malloc((size_t)count * sizeof *all.slots));
  pthread_mutex_init(&all.lock, NULL);
  all.length = parts;
  for (int n = 0; n < parts; n++) {
    all.queue[n].part = n;
    all.queue[n].generation = 0;
  }
  unsigned char **slots = all.slots;
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
  return NULL;
}

// A thread and its successors.
typedef struct {
  const run *run;
  int part, generation;
  outcome outcome;
  atomic_int done;
} line;

static bool take(line *l) {
  if (all.length == 0) return false;
  l->part = all.queue[0].part;
  l->generation = all.queue[0].generation;
  all.length--;
  memmove(&all.queue[0], &all.queue[1], (size_t)all.length * sizeof all.queue[0]);
  return true;
}

static void *live(void *argument) {
  line *l = argument;
  const long *p = l->run->parameters;
  generator g;
  seed(&g, seed_from((uint32_t)l->part, (uint32_t)l->generation));
  l->outcome.checksum += replace(&g, all.slots + l->part * p[0], p[0], p[1] * p[0]);
  l->outcome.operations += (uint64_t)(p[1] * p[0]);
  pthread_mutex_lock(&all.lock);
  if (l->generation + 1 < p[2]) {
    all.queue[all.length].part = l->part;
    all.queue[all.length++].generation = l->generation + 1;
  }
  bool more = take(l);
  pthread_mutex_unlock(&all.lock);
  pthread_t successor;
  if (!more) announce(&l->done, 1);
  else if (pthread_create(&successor, NULL, live, l)) fail("no thread");
  else pthread_detach(successor);
  return NULL;
}

outcome work(const part *p) {
  line l = {.run = p->run};
  pthread_mutex_lock(&all.lock);
  bool more = take(&l);
  pthread_mutex_unlock(&all.lock);
  if (more) {
    live(&l);
    wait_for(&l.done, 1);
  }
  return l.outcome;
}

uint32_t finish(const run *r, void *root) {
  (void)root;
  uint32_t checksum = 0;
  for (long n = 0; n < r->parameters[0] * (r->threads + 1); n++) {
    checksum += all.slots[n][0];
    free(all.slots[n]);
  }
  free(all.slots);
  return checksum;
}
