// The interface of the C twins of bench/workloads/, and their common functions: random numbers,
// waiting.
//
// A twin is a file NAME.c that defines the three functions below, linked with harness.c:
//
//     cc -O2 -fno-builtin -pthread -o build/NAME NAME.c harness.c
//     build/NAME THREADS PARAMETERS...
//     LD_PRELOAD=libmimalloc.so.2 build/larson 2 5000 20 100
//
// Plain C11 and pthreads. Same parameters, same random numbers and same operations as the workload
// in TypeScript, whose header says what it models.

#ifndef HARNESS_H
#define HARNESS_H

#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMETERS_MAX = 8 };

typedef struct {
  int threads;
  long parameters[PARAMETERS_MAX];
} run;

typedef struct {
  const run *run;
  int index;
  void *root;
} part;

typedef struct {
  uint64_t operations;
  uint32_t checksum;
} outcome;

// Untimed, on the main thread, before the others start: makes the shared data.
void *setup(const run *r);
// One thread's part, timed from when all threads have arrived until the last one is done.
outcome work(const part *p);
// Untimed, on the main thread, when all are done; the result is added to the checksum.
uint32_t finish(const run *r, void *root);

// Ends the program with a message: a block's content was wrong, or there is no memory.
_Noreturn void fail(const char *what);

// malloc that ends the program on failure, for a twin's own data.
void *need(void *block);

static inline uint32_t xorshift(uint32_t *x) {
  *x ^= *x << 13;
  *x ^= *x >> 17;
  *x ^= *x << 5;
  return *x;
}

// A seed from small, similar numbers.
static inline uint32_t seed_from(uint32_t a, uint32_t b) {
  uint32_t h = a * 0x9e3779b1u + b * 0x85ebca77u + 0x165667b1u;
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  h ^= h >> 16;
  return h ? h : 1;
}

// A barrier: returns when `threads` have arrived for the `turn`th time, from 1. The word is 0 at
// first.
void arrive(atomic_int *word, int threads, int turn);
// Waits until a word is at least `value`, and returns it.
int wait_for(atomic_int *word, int value);
// Sets a word that other threads wait for.
void announce(atomic_int *word, int value);

#endif
