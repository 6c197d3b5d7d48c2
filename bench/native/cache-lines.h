// Twin of bench/workloads/cache-lines.ts: the common part of cache-scratch.c and cache-thrash.c.

#ifndef CACHE_LINES_H
#define CACHE_LINES_H

#include "harness.h"

// Repeatedly allocates, increments and frees one byte.
static outcome write_lines(const part *p) {
  long blocks = p->run->parameters[0], increments = p->run->parameters[1];
  uint32_t checksum = 0;
  for (long n = 0; n < blocks; n++) {
    volatile unsigned char *block = need(malloc(1));
    *block = (unsigned char)(p->index + n);
    for (long i = 0; i < increments; i++) (*block)++;
    unsigned char found = *block;
    if (found != (unsigned char)(p->index + n + increments)) fail("payload");
    checksum += found;
    free((void *)block);
  }
  return (outcome){(uint64_t)(blocks * increments), checksum};
}

#endif
