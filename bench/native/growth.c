// C twin of bench/growth-run.ts, on the process's malloc.
//
//     cc -O2 -fno-builtin -o build/growth growth.c
//     build/growth random|near|bulk|runs AT ROUNDS
//     LD_PRELOAD=libmimalloc.so.2 build/growth near 1000000 400000
//
// Prints JSON: nanoseconds of a round in the best pass. Same sizes and same random numbers.
//
// The process has only one thread: a C library may skip its locks then.

#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

enum { BODY_ROUNDS = 4096, PASSES = 10, WINDOW = 512, RUN_BYTES = 256 * 1024 };
enum { PAGE_BYTES = 8192, LONG_EVERY = 50, LONG_PAGES_MIN = 2, LONG_LENGTHS = 60, LONG_STEP = 37 };

static uint32_t live;
static void **slots;
static uint32_t state = 0x9e3779b9u;
static uint32_t first = 0;

static uint32_t xorshift(uint32_t *x) {
  *x ^= *x << 13;
  *x ^= *x >> 17;
  *x ^= *x << 5;
  return *x;
}

// A size from 8 to 128 bytes.
static size_t size_of(uint32_t x) { return 8 + (size_t)(x * 0x9e3779b1u >> 28) * 8; }

static void *need(void *block) {
  if (block != NULL) return block;
  fprintf(stderr, "no memory\n");
  exit(1);
}

static void fill_slots(void) {
  uint32_t x = 0x85ebca6bu;
  slots = need(malloc(live * sizeof *slots));
  for (uint32_t n = 0; n < live; n++) slots[n] = need(malloc(size_of(xorshift(&x))));
}

static void replace(uint32_t slot, uint32_t x) {
  free(slots[slot]);
  slots[slot] = malloc(size_of(x));
}

static void random_body(long rounds) {
  for (long n = 0; n < rounds; n++) {
    uint32_t x = xorshift(&state);
    replace((x >> 1) % live, x);
  }
}

static void near_body(long rounds) {
  for (long n = 0; n < rounds; n++) {
    uint32_t x = xorshift(&state);
    uint32_t slot = (first + (x & (WINDOW - 1))) % live;
    first = first + 1 == live ? 0 : first + 1;
    replace(slot, x);
  }
}

static void bulk_body(long rounds) {
  static uint32_t empty[BODY_ROUNDS];
  for (long n = 0; n < rounds; n++) {
    uint32_t slot = (xorshift(&state) >> 1) % live;
    while (slots[slot] == NULL) slot = slot + 1 == live ? 0 : slot + 1;
    free(slots[slot]);
    slots[slot] = NULL;
    empty[n] = slot;
  }
  for (long n = 0; n < rounds; n++) slots[empty[n]] = malloc(size_of(xorshift(&state)));
}

static void *aligned(size_t bytes) {
  void *block = NULL;
  if (posix_memalign(&block, 2 * PAGE_BYTES, bytes)) block = NULL;
  return need(block);
}

static void make_holes(uint32_t holes) {
  uint32_t count = holes / LONG_EVERY;
  for (uint32_t n = count; n < holes; n++) aligned(PAGE_BYTES);
  void **longer = need(malloc((count + 1) * sizeof *longer));
  for (uint32_t n = 0; n < count; n++) {
    size_t bytes = (size_t)(LONG_PAGES_MIN + n * LONG_STEP % LONG_LENGTHS) * PAGE_BYTES;
    longer[n] = aligned(bytes);
    aligned(bytes);
  }
  for (uint32_t n = 0; n < count; n++) free(longer[n]);
}

static void runs_body(long rounds) {
  for (long n = 0; n < rounds; n++) free(malloc(RUN_BYTES));
}

static double time_pass(void (*body)(long), long rounds) {
  double started = now_ns();
  for (long n = 0; n < rounds; n += BODY_ROUNDS) {
    body(rounds - n < BODY_ROUNDS ? rounds - n : BODY_ROUNDS);
  }
  return (now_ns() - started) / (double)rounds;
}

int main(int argc, char **argv) {
  void (*body)(long) = argc != 4                      ? NULL
                       : !strcmp(argv[1], "random") ? random_body
                       : !strcmp(argv[1], "near")   ? near_body
                       : !strcmp(argv[1], "bulk")   ? bulk_body
                       : !strcmp(argv[1], "runs")   ? runs_body
                                                    : NULL;
  if (body == NULL) {
    fprintf(stderr, "usage: %s random|near|bulk|runs AT ROUNDS\n", argv[0]);
    return 2;
  }
  live = (uint32_t)strtoul(argv[2], NULL, 10);
  long rounds = atol(argv[3]);
  if (body == runs_body) make_holes(live);
  else fill_slots();
  time_pass(body, rounds > (long)live ? rounds : (long)live);
  double best = 1e300;
  for (int n = 0; n < PASSES; n++) {
    double ns = time_pass(body, rounds);
    if (ns < best) best = ns;
  }
  printf("{\"ns\":%.4f}\n", best);
  return 0;
}
