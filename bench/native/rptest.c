// C twin of bench/workloads/rptest.ts.

#include "harness.h"

#include <time.h>

enum { ITERATIONS = 2, PAGE_BYTES = 4096, ALIGNMENT = 16, FREE_STEP = 11, REPLACE_STEP = 7 };
enum { WAIT_NS = 100000, SIZES = 2000, REPLACES = 311, FREES = 257, WEIGHT_ONE = 100000 };

typedef struct batch {
  struct batch *next;
  void **blocks;
  long count;
} batch;

typedef struct {
  _Alignas(64) _Atomic(batch *) inbox;
} line;

typedef struct {
  _Alignas(64) atomic_int barrier;
  line lines[];
} shared;

typedef struct {
  int sizes[SIZES], replaces[REPLACES], frees[FREES];
  void **slots;
  long slot_count, free_at, replace_at, size_at;
  uint64_t operations;
  uint32_t checksum;
} state;

static int percent(uint32_t *x) {
  return 30 + (int)((xorshift(x) >> 8) % 70);
}

static void fill_tables(state *s, int count, int bytes_min, int bytes_max) {
  uint32_t x = seed_from(SIZES, REPLACES);
  int weights[SIZES], range = bytes_max - bytes_min;
  for (int n = 0; n < SIZES; n++) weights[n] = (int)((xorshift(&x) >> 8) % WEIGHT_ONE);
  for (int n = 0; n < SIZES; n++) {
    int even = range * weights[(n + 2) % SIZES] / WEIGHT_ONE;
    int scale = abs(WEIGHT_ONE - weights[n] - weights[(n + 1) % SIZES]);
    s->sizes[n] = bytes_min + even * scale / WEIGHT_ONE;
  }
  for (int n = 0; n < REPLACES; n++) s->replaces[n] = count * percent(&x) / 100;
  for (int n = 0; n < FREES; n++) s->frees[n] = 8 * count * percent(&x) / 1000;
}

static void *aligned(size_t bytes) {
  void *block;
  if (posix_memalign(&block, ALIGNMENT, bytes)) fail("no memory");
  return block;
}

static void *make(state *s, long turn) {
  int bytes = s->sizes[s->size_at];
  int is_aligned = bytes < PAGE_BYTES && (s->size_at + turn) % 3 != 0;
  char *block = is_aligned ? aligned((size_t)bytes) : need(malloc((size_t)bytes));
  *(int *)block = bytes;
  int pages = (bytes - 1) / PAGE_BYTES;
  for (int page = 1; page < pages; page++) block[page * PAGE_BYTES] = 1;
  block[bytes - 1] = 1;
  s->size_at = s->size_at + 1 == SIZES ? 0 : s->size_at + 1;
  s->operations++;
  return block;
}

static void end(state *s, void *block) {
  s->checksum += *(uint32_t *)block;
  free(block);
  s->operations++;
}

static void free_some(state *s, long count) {
  for (long n = 0; n < count; n++) {
    void **slot = &s->slots[s->free_at];
    if (*slot) end(s, *slot);
    *slot = NULL;
    s->free_at = (s->free_at + FREE_STEP) % s->slot_count;
  }
}

static void replace_some(state *s, long count) {
  for (long n = 0; n < count; n++) {
    void **slot = &s->slots[s->replace_at];
    if (*slot) end(s, *slot);
    *slot = make(s, n);
    s->replace_at = (s->replace_at + REPLACE_STEP) % s->slot_count;
  }
}

static batch *make_batch(state *s, long count) {
  batch *b = aligned(sizeof *b);
  b->blocks = aligned((size_t)count * sizeof *b->blocks);
  b->count = count;
  for (long n = 0; n < count; n++) b->blocks[n] = make(s, n);
  s->operations += 2;
  return b;
}

static void send(line *to, batch *b) {
  b->next = atomic_load(&to->inbox);
  while (!atomic_compare_exchange_weak(&to->inbox, &b->next, b)) continue;
}

static batch *receive(line *from) {
  return atomic_load(&from->inbox) ? atomic_exchange(&from->inbox, NULL) : NULL;
}

static void free_batches(state *s, batch *b) {
  while (b != NULL) {
    batch *next = b->next;
    for (long n = 0; n < b->count; n++) end(s, b->blocks[n]);
    free(b->blocks);
    free(b);
    s->operations += 2;
    b = next;
  }
}

static void wait_freeing(state *s, atomic_int *barrier, line *inbox, int all) {
  struct timespec pause = {.tv_nsec = WAIT_NS};
  atomic_fetch_add(barrier, 1);
  for (;;) {
    int seen = atomic_load(barrier);
    free_batches(s, receive(inbox));
    if (seen >= all) return;
    nanosleep(&pause, NULL);
  }
}

void *setup(const run *r) {
  size_t bytes = sizeof(shared) + (size_t)r->threads * sizeof(line);
  shared *all = NULL;
  if (posix_memalign((void **)&all, _Alignof(shared), bytes)) fail("no memory");
  memset(all, 0, bytes);
  return all;
}

outcome work(const part *p) {
  const long *q = p->run->parameters;
  int threads = p->run->threads, to = 0;
  shared *all = p->root;
  state s;
  memset(&s, 0, sizeof s);
  s.slots = need(calloc((size_t)q[1], sizeof *s.slots));
  s.slot_count = q[1];
  fill_tables(&s, (int)q[2], (int)q[3], (int)q[4]);
  for (int iteration = 0; iteration < ITERATIONS; iteration++) {
    s.size_at = (p->index + 1) * (iteration + 1) * 37 % SIZES;
    for (long loop = 0; loop < q[0]; loop++) {
      batch *received = receive(&all->lines[p->index]);
      int replaced = s.replaces[(iteration + loop) % REPLACES];
      free_some(&s, s.frees[(iteration + loop) % FREES]);
      free_batches(&s, received);
      replace_some(&s, replaced);
      if (threads == 1 || loop % q[5] != 0) continue;
      batch *b = make_batch(&s, replaced);
      to = (to + 1) % threads;
      if (to == p->index) to = (to + 1) % threads;
      send(&all->lines[to], b);
    }
    wait_freeing(&s, &all->barrier, &all->lines[p->index], threads * (iteration + 1));
    free_some(&s, s.slot_count);
  }
  free(s.slots);
  return (outcome){s.operations, s.checksum};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  free(root);
  return 0;
}
