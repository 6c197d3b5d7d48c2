// Replays an allocation trace on the process's malloc: the native side of traces.ts.
//
//     cc -O2 -fno-builtin -pthread -o build/replay replay.c
//     build/replay FILE REPEAT|fill [THREADS]
//     LD_PRELOAD=libmimalloc.so.2 build/replay FILE REPEAT 2
//
// FILE is an unzipped trace: 16 bytes of header ('MTR1', counts of operations, slots and threads),
// then two 32-bit little-endian words an operation: kind in bits 0..2, slot in bits 8..31; size.
// Does only what `shmalloc replay` does: it writes one word into a malloc'ed block. Each thread
// replays the whole trace with its own blocks; all begin together. Blocks that the trace left are
// freed after each repetition, untimed. With `fill` it is replayed once, and every block is written
// completely: memory that is never written is not resident.
//
// Prints JSON, in the terms of `shmalloc replay --json`: the best repetition of any thread in
// nanoseconds per operation; operations per second of all threads, in the last third of their
// repetitions; and the growth of the peak resident set since before the first call. The trace and
// the tables of blocks are mapped and resident before that, so that the growth is the allocator's
// and, with a few KiB each, that of the threads' stacks.
//
// A single thread is the process's only one: a C library may skip its locks then. With two it may
// not.

#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"

enum { MALLOC = 1, FREE = 2, CALLOC = 3, REALLOC = 4, THREADS_MAX = 256 };

typedef struct {
  uint32_t what;
  uint32_t size;
} operation;

typedef struct {
  char magic[4];
  uint32_t operations, slots, threads;
} header;

typedef struct {
  void **blocks;
  double best_ns, operations_per_ns;
} thread;

static const operation *operations;
static uint32_t count, slots;
// 0: replay once, and fill.
static int repeat;
static pthread_barrier_t start;

// `fill` is a constant at each call, so that the timed loop does not contain the filling.
static inline __attribute__((always_inline)) void replay(void **blocks, int fill) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t slot = operations[i].what >> 8;
    uint32_t size = operations[i].size;
    switch (operations[i].what & 7) {
      case MALLOC: {
        uint32_t *block = malloc(size);
        if (size >= 4) *block = i;
        blocks[slot] = block;
        break;
      }
      case FREE:
        free(blocks[slot]);
        blocks[slot] = NULL;
        break;
      case CALLOC:
        blocks[slot] = calloc(1, size);
        break;
      case REALLOC:
        blocks[slot] = realloc(blocks[slot], size);
        break;
    }
    if (fill && blocks[slot] != NULL) memset(blocks[slot], 1, size);
  }
}

static void *work(void *argument) {
  thread *self = argument;
  void **blocks = self->blocks;
  double best = 1e300, sum = 0;
  int counted = 0;
  pthread_barrier_wait(&start);
  if (repeat == 0) replay(blocks, 1);
  for (int n = 0; n < repeat; n++) {
    double before = now_ns();
    replay(blocks, 0);
    double took = now_ns() - before;
    if (took < best) best = took;
    if (n >= (int)(2L * repeat / 3)) {
      sum += took;
      counted++;
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
      free(blocks[slot]);
      blocks[slot] = NULL;
    }
  }
  self->best_ns = best;
  self->operations_per_ns = counted == 0 ? 0 : (double)count * counted / sum;
  return NULL;
}

// The trace's header, with its operations behind it; NULL if the file is not a trace.
static const header *map_trace(const char *path) {
  struct stat about;
  int file = open(path, O_RDONLY);
  if (file < 0 || fstat(file, &about) || (size_t)about.st_size < sizeof(header)) return NULL;
  const header *head =
      mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  close(file);
  if (head == MAP_FAILED || memcmp(head->magic, "MTR1", 4)) return NULL;
  size_t bytes = sizeof *head + head->operations * sizeof(operation);
  return (size_t)about.st_size < bytes ? NULL : head;
}

int main(int argc, char **argv) {
  static thread all[THREADS_MAX];
  static pthread_t ids[THREADS_MAX];
  const header *head = argc == 3 || argc == 4 ? map_trace(argv[1]) : NULL;
  int threads = argc == 4 ? atoi(argv[3]) : 1;
  int fill = argc > 2 && !strcmp(argv[2], "fill");
  repeat = head == NULL || fill ? 0 : atoi(argv[2]);
  if (head == NULL || (repeat < 1 && !fill) || threads < 1 || threads > THREADS_MAX) {
    fprintf(stderr, "usage: %s UNZIPPED-TRACE REPEAT|fill [THREADS]\n", argv[0]);
    return 2;
  }
  operations = (const operation *)(head + 1);
  count = head->operations;
  slots = head->slots;
  for (int n = 0; n < threads; n++) {
    all[n].blocks = mmap(NULL, (slots + 1) * sizeof(void *), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (all[n].blocks == MAP_FAILED) return 1;
  }
  pthread_barrier_init(&start, NULL, (unsigned)threads);

  long before_kib = status_kib("VmRSS");
  if (threads == 1) {
    work(&all[0]);
  } else {
    for (int n = 0; n < threads; n++) {
      if (pthread_create(&ids[n], NULL, work, &all[n])) return 1;
    }
    for (int n = 0; n < threads; n++) pthread_join(ids[n], NULL);
  }
  long footprint_kib = status_kib("VmHWM") - before_kib;

  double best = 1e300, rate = 0;
  for (int n = 0; n < threads; n++) {
    if (all[n].best_ns < best) best = all[n].best_ns;
    rate += all[n].operations_per_ns;
  }
  printf("{\"operations\":%u,\"footprintBytes\":%ld", count, footprint_kib * 1024);
  if (!fill) {
    printf(",\"nsPerOperation\":%.4f,\"operationsPerSecond\":%.0f", best / count, rate * 1e9);
  }
  printf("}\n");
  return 0;
}
