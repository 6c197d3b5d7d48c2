// The measurements of all native programs: the clock, and the resident memory of the process.

#ifndef MEASURE_H
#define MEASURE_H

#include <stdio.h>
#include <time.h>

static inline double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// A line of /proc/self/status, in KiB: VmHWM is the maximum of resident memory, VmRSS its present
// size.
static inline long status_kib(const char *name) {
  long kib = 0;
  char line[256], format[32];
  snprintf(format, sizeof format, "%s: %%ld", name);
  FILE *status = fopen("/proc/self/status", "r");
  if (status == NULL) return 0;
  while (fgets(line, sizeof line, status) && sscanf(line, format, &kib) != 1) continue;
  fclose(status);
  return kib;
}

#endif
