// Replays an allocation trace on whatever malloc the process has: the native side of bench/traces.ts.
//
//     cc -O2 -fno-builtin -o build/replay replay.c
//     build/replay FILE REPEAT
//     LD_PRELOAD=libmimalloc.so.2 build/replay FILE REPEAT
//
// FILE is an unzipped trace: 16 bytes of header ('MTR1', operation count, slot count, thread count),
// then two 32-bit little-endian words an operation: kind in bits 0..2, slot in bits 8..31; size.
// Does what `shmalloc replay` does and nothing more: one word is written into a malloc'ed block.
// Prints JSON: the best repetition in nanoseconds an operation, and the process's peak resident set.
// What the trace left is freed after each repetition, untimed.

#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MALLOC = 1, FREE = 2, CALLOC = 3, REALLOC = 4 };

typedef struct {
  uint32_t what;
  uint32_t size;
} operation;

typedef struct {
  char magic[4];
  uint32_t operations, slots, threads;
} header;

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void replay(const operation *operations, uint32_t count, void **blocks) {
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
  }
}

static long peak_resident_kib(void) {
  long kib = 0;
  char line[256];
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL) return 0;
  while (fgets(line, sizeof line, status)) {
    if (sscanf(line, "VmHWM: %ld", &kib) == 1) break;
  }
  fclose(status);
  return kib;
}

int main(int argc, char **argv) {
  header head;
  FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL || fread(&head, sizeof head, 1, file) != 1 || memcmp(head.magic, "MTR1", 4)) {
    fprintf(stderr, "usage: %s UNZIPPED-TRACE REPEAT\n", argv[0]);
    return 2;
  }
  uint32_t count = head.operations;
  operation *operations = malloc(count * sizeof *operations);
  void **blocks = calloc(head.slots, sizeof *blocks);
  if (operations == NULL || blocks == NULL) return 1;
  if (fread(operations, sizeof *operations, count, file) != count) return 2;
  fclose(file);

  double best = 1e300;
  for (int n = atoi(argv[2]); n > 0; n--) {
    double before = now_ns();
    replay(operations, count, blocks);
    double took = now_ns() - before;
    if (took < best) best = took;
    for (uint32_t slot = 0; slot < head.slots; slot++) {
      free(blocks[slot]);
      blocks[slot] = NULL;
    }
  }
  printf("{\"nsPerOperation\":%.4f,\"peakResidentKib\":%ld,\"operations\":%u}\n", best / count,
         peak_resident_kib(), count);
  return 0;
}
