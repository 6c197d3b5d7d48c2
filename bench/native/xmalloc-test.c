// C twin of bench/workloads/xmalloc-test.ts. A batch's record is larger, since addresses are.

#include "harness.h"

enum { BATCHES_MAX = 100, BATCHES_ALONE = 50, FILLED_BYTES_MAX = 128 };

typedef struct batch {
  struct batch *next;
  long number;
  uint32_t *blocks[];
} batch;

typedef struct {
  pthread_mutex_t mutex;
  batch *top;
  atomic_int pushed, popped;
} stack;

typedef struct {
  long batches, count, bytes;
} sizes;

void *setup(const run *r) {
  (void)r;
  stack *s = need(calloc(1, sizeof *s));
  pthread_mutex_init(&s->mutex, NULL);
  return s;
}

static size_t filled_words(const sizes *z) {
  return (size_t)(z->bytes < FILLED_BYTES_MAX ? z->bytes : FILLED_BYTES_MAX) / 4;
}

static void push(stack *s, batch *b) {
  pthread_mutex_lock(&s->mutex);
  for (;;) {
    int popped = s->popped;
    if (s->pushed - popped < BATCHES_MAX) break;
    pthread_mutex_unlock(&s->mutex);
    wait_for(&s->popped, popped + 1);
    pthread_mutex_lock(&s->mutex);
  }
  b->next = s->top;
  s->top = b;
  announce(&s->pushed, s->pushed + 1);
  pthread_mutex_unlock(&s->mutex);
}

// A batch, or NULL when all threads together have popped `batches`.
static batch *pop(stack *s, long batches) {
  pthread_mutex_lock(&s->mutex);
  for (;;) {
    int popped = s->popped;
    if (popped < s->pushed) break;
    pthread_mutex_unlock(&s->mutex);
    if (popped >= batches) return NULL;
    wait_for(&s->pushed, popped + 1);
    pthread_mutex_lock(&s->mutex);
  }
  batch *b = s->top;
  s->top = b->next;
  announce(&s->popped, s->popped + 1);
  pthread_mutex_unlock(&s->mutex);
  return b;
}

static void produce(stack *s, long number, const sizes *z) {
  batch *b = need(malloc(sizeof *b + (size_t)z->count * sizeof b->blocks[0]));
  b->number = number;
  size_t words = filled_words(z);
  uint32_t first = (uint32_t)(number * z->count);
  for (long n = 0; n < z->count; n++) {
    uint32_t *block = need(malloc((size_t)z->bytes));
    for (size_t word = 0; word < words; word++) block[word] = first + (uint32_t)n;
    b->blocks[n] = block;
  }
  push(s, b);
}

// Consumes until all threads together have popped `batches`.
static outcome consume(stack *s, long batches, const sizes *z) {
  outcome sum = {0};
  size_t last = filled_words(z) - 1;
  for (batch *b; (b = pop(s, batches)) != NULL;) {
    uint32_t first = (uint32_t)(b->number * z->count);
    for (long n = 0; n < z->count; n++) {
      uint32_t *block = b->blocks[n];
      if (block[0] != first + (uint32_t)n) fail("payload");
      sum.checksum += block[last];
      free(block);
    }
    free(b);
    sum.operations += (uint64_t)z->count;
  }
  return sum;
}

static outcome alternate(stack *s, const sizes *z) {
  outcome sum = {0};
  for (long from = 0; from < z->batches; from += BATCHES_ALONE) {
    long to = from + BATCHES_ALONE < z->batches ? from + BATCHES_ALONE : z->batches;
    for (long n = from; n < to; n++) produce(s, n, z);
    outcome some = consume(s, to, z);
    sum.operations += some.operations;
    sum.checksum += some.checksum;
  }
  return sum;
}

outcome work(const part *p) {
  const long *q = p->run->parameters;
  sizes z = {q[0], q[1], q[2]};
  if (p->run->threads == 1) return alternate(p->root, &z);
  if (p->index % 2 == 1) return consume(p->root, z.batches, &z);
  int producers = (p->run->threads + 1) / 2;
  for (long n = p->index / 2; n < z.batches; n += producers) produce(p->root, n, &z);
  return (outcome){0};
}

uint32_t finish(const run *r, void *root) {
  (void)r;
  stack *s = root;
  pthread_mutex_destroy(&s->mutex);
  free(s);
  return 0;
}
