// C twins of the loops in bench/micro.ts, on the process's malloc.
//
//     cc -O2 -fno-builtin -o build/pair pair.c
//     build/pair SCENARIO SIZE MILLISECONDS
//     LD_PRELOAD=libmimalloc.so.2 build/pair pair 64 300
//
// SCENARIO is pair, replace, calloc or realloc. Like its twin, each repeats bodies of 2,000 rounds
// for the given time, a third of it to warm up. Prints JSON: the median and the best nanoseconds of
// a round, over all bodies.
//
// The process has only one thread: a C library may skip its locks then.

#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

enum { ROUNDS = 2000, SLOTS = 4096, BODIES_MAX = 1 << 18 };

static size_t size;
static void *slots[SLOTS];
static uint32_t state = 0x9e3779b9u;

static uint32_t xorshift(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

// A size from 16 to 1,016 bytes.
static size_t random_size(uint32_t x) { return 16 + (x >> 12) % 126 * 8; }

static void pair_body(void) {
  for (int n = 0; n < ROUNDS; n++) free(malloc(size));
}

static void replace_body(void) {
  for (int n = 0; n < ROUNDS; n++) {
    uint32_t x = xorshift();
    uint32_t slot = x & (SLOTS - 1);
    free(slots[slot]);
    slots[slot] = malloc(random_size(x));
  }
}

static void calloc_body(void) {
  for (int n = 0; n < ROUNDS; n++) free(calloc(1, size));
}

static void realloc_body(void) {
  for (int n = 0; n < ROUNDS; n++) free(realloc(malloc(size), size * 2));
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s pair|replace|calloc|realloc SIZE MILLISECONDS\n", argv[0]);
    return 2;
  }
  const char *scenario = argv[1];
  size = strtoul(argv[2], NULL, 10);
  double time_ns = atof(argv[3]) * 1e6;
  void (*body)(void) = !strcmp(scenario, "pair")      ? pair_body
                       : !strcmp(scenario, "replace") ? replace_body
                       : !strcmp(scenario, "calloc")  ? calloc_body
                       : !strcmp(scenario, "realloc") ? realloc_body
                                                      : NULL;
  if (body == NULL) {
    fprintf(stderr, "unknown scenario '%s'\n", scenario);
    return 2;
  }
  if (body == replace_body) {
    for (int n = 0; n < SLOTS; n++) slots[n] = malloc(random_size(xorshift()));
  }
  double *took = malloc(BODIES_MAX * sizeof *took);
  if (took == NULL) return 1;

  for (double warm = now_ns() + time_ns / 3; now_ns() < warm;) body();
  int bodies = 0;
  for (double end = now_ns() + time_ns; bodies < BODIES_MAX;) {
    double before = now_ns();
    body();
    double after = now_ns();
    took[bodies++] = (after - before) / ROUNDS;
    if (after >= end) break;
  }
  qsort(took, (size_t)bodies, sizeof *took, by_value);
  printf("{\"scenario\":\"%s\",\"size\":%zu,\"bodies\":%d,\"ns\":%.4f,\"best\":%.4f}\n", scenario,
         size, bodies, took[bodies / 2], took[0]);
  return 0;
}
