// Hammers the library's threads: several callers at once, as Workers are, with jobs of all sizes. Every part must be done once, and no two
// threads may have one number in one job. threads.test.ts compiles it with the library's threads.c, also with gcc's sanitizers.
#include "../../../src/tensor/x86/api.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CALLERS = 4, MOST_PARTS = 500 };

typedef struct {
  int threads, parts, done[MOST_PARTS], busy[MOST_THREADS];
  uint64_t sums[MOST_THREADS]; // not atomic: only the thread of that number writes it, the caller reads it when the job is over
} task;

static void fail(const char *what) {
  printf("%s\n", what);
  exit(1);
}

static void work(void *data, int part, int thread) {
  task *t = data;
  if (thread < 0 || thread >= t->threads) fail("a thread's number is out of range");
  if (__atomic_exchange_n(&t->busy[thread], 1, __ATOMIC_ACQ_REL)) fail("two threads have one number");
  for (int i = 0; i < part % 7 * 50; i++) t->sums[thread] += part ^ i;
  t->done[part]++;
  __atomic_store_n(&t->busy[thread], 0, __ATOMIC_RELEASE);
}

static void check(const task *t) {
  uint64_t sum = 0, expected = 0;
  for (int thread = 0; thread < MOST_THREADS; thread++) sum += t->sums[thread];
  for (int part = 0; part < t->parts; part++)
    for (int i = 0; i < part % 7 * 50; i++) expected += part ^ i;
  if (sum != expected) fail("a thread's sum is wrong");
  for (int part = 0; part < MOST_PARTS; part++)
    if (t->done[part] != (part < t->parts)) fail("a part was not done once");
}

static int jobs;

static void *call_often(void *number) {
  unsigned seed = (unsigned)(long)number;
  for (int i = 0; i < jobs; i++) {
    task *t = calloc(1, sizeof *t); // of its own each time: a late helper that touches an earlier one is seen
    t->threads = 1 + rand_r(&seed) % 6;
    t->parts = rand_r(&seed) % (rand_r(&seed) % 4 ? 12 : MOST_PARTS);
    parallel(t->threads, t->parts, work, t);
    check(t);
    free(t);
    if (rand_r(&seed) % 64 == 0) usleep(rand_r(&seed) % 400); // helpers fall asleep
  }
  return 0;
}

/** A part that ends when the others have begun, each on a thread of its own. */
static void meet(void *data, int part, int thread) {
  (void)part, (void)thread;
  __atomic_sub_fetch((int *)data, 1, __ATOMIC_ACQ_REL);
  while (__atomic_load_n((int *)data, __ATOMIC_ACQUIRE) > 0) usleep(10);
}

int main(int count, char **words) {
  jobs = count > 1 ? atoi(words[1]) : 1000;
  for (int threads = 6; threads > 1; threads--) {
    int missing = threads;
    usleep(20000); // helpers fall asleep: all that are needed must be woken
    parallel(threads, threads, meet, &missing);
  }
  pthread_t callers[CALLERS];
  for (long i = 0; i < CALLERS; i++) pthread_create(&callers[i], 0, call_often, (void *)i);
  if (setuid(getuid())) fail("setuid"); // has every thread take a signal of libc's
  for (int i = 0; i < CALLERS; i++) pthread_join(callers[i], 0);
  puts("all parts were done once");
}
