// Runs a C twin twice; the second run counts. Prints JSON.
//
// The time is from when all threads have arrived until the last one is done. Resident set: its
// maximum, and its size before the first call, so that the difference is the allocator's and the
// twin's.

#include "harness.h"
#include "measure.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPINS = 2000, WAIT_LIMIT_NS = 5000000 };

typedef struct {
  part part;
  outcome outcome;
  double started, ended;
} thread;

static atomic_int there;

_Noreturn void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

void *need(void *block) {
  if (block == NULL) fail("no memory");
  return block;
}

int wait_for(atomic_int *word, int value) {
  for (int spins = 0;; spins++) {
    int seen = atomic_load(word);
    if (seen >= value) return seen;
    if (spins < SPINS) continue;
    struct timespec limit = {.tv_nsec = WAIT_LIMIT_NS};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &limit, NULL, 0);
  }
}

static void wake_all(atomic_int *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

void announce(atomic_int *word, int value) {
  atomic_store(word, value);
  wake_all(word);
}

void arrive(atomic_int *word, int threads, int turn) {
  if (atomic_fetch_add(word, 1) + 1 == threads * turn) wake_all(word);
  else wait_for(word, threads * turn);
}

static void *start(void *argument) {
  thread *t = argument;
  arrive(&there, t->part.run->threads, 1);
  t->started = now_ns();
  t->outcome = work(&t->part);
  t->ended = now_ns();
  return NULL;
}

// The threads' records are outside of the measured heap.
static thread threads[1024];
static pthread_t ids[1024];

static double measure(const run *r, outcome *sum) {
  void *root = setup(r);
  atomic_store(&there, 0);
  for (int n = 0; n < r->threads; n++) {
    threads[n] = (thread){.part = {.run = r, .index = n, .root = root}};
    if (pthread_create(&ids[n], NULL, start, &threads[n])) fail("no thread");
  }
  double started = 1e300, ended = 0;
  *sum = (outcome){0};
  for (int n = 0; n < r->threads; n++) {
    pthread_join(ids[n], NULL);
    if (threads[n].started < started) started = threads[n].started;
    if (threads[n].ended > ended) ended = threads[n].ended;
    sum->operations += threads[n].outcome.operations;
    sum->checksum += threads[n].outcome.checksum;
  }
  sum->checksum += finish(r, root);
  return ended - started;
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 2 + PARAMETERS_MAX) {
    fprintf(stderr, "usage: %s THREADS PARAMETERS...\n", argv[0]);
    return 2;
  }
  run all = {.threads = atoi(argv[1])};
  for (int n = 2; n < argc; n++) all.parameters[n - 2] = atol(argv[n]);
  long before = status_kib("VmRSS");
  outcome sum;
  measure(&all, &sum);
  double ns = measure(&all, &sum);
  printf("{\"operations\":%llu,\"checksum\":%u,\"milliseconds\":%.6f,\"footprintBytes\":%ld}\n",
         (unsigned long long)sum.operations, sum.checksum, ns / 1e6,
         (status_kib("VmHWM") - before) * 1024);
  return 0;
}
