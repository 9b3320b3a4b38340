// The threads that kernels share: started when first used, asleep between jobs, gone with the process. One job at a time has them; who calls
// meanwhile, from another Worker, works alone. Of the process that loads the library pthread_create alone is used.
#include "api.h"
#include "system.h"
#include <immintrin.h>

extern int pthread_create(void *, const void *, void *(*)(void *), void *) __attribute__((weak));

enum { SLEEP = 128, WAKE = 129, ALL = 0x7fffffff }; // of a futex that no other process sees
enum { SPINS = 3000 };                              // 0.1 ms: a helper is awake for the next kernel, and leaves the core to others in any longer pause
enum { CLOSED = 0x7fffffff };                       // a next part that no job has

// A ticket is a job's number above the number of its next part. Who would take a part of a job that is over finds the ticket changed, so
// that nobody waits for a helper that wakes up late. What threads watch has cache lines of its own.
static struct {
  _Alignas(64) uint64_t ticket;
  int32_t parts, threads;
  void (*work)(void *, int, int);
  void *data;
  _Alignas(64) int32_t generation;
  _Alignas(64) int32_t left;
  _Alignas(64) int32_t busy;
} job;

// The job is read before the ticket is taken: if the ticket is still the same then, so was the job. This needs every field to be read with
// acquire and written with release: who sees a new field also sees that the old ticket is closed.
static int take_part(int thread) {
  uint64_t ticket = __atomic_load_n(&job.ticket, __ATOMIC_ACQUIRE);
  for (;;) {
    int32_t part = (int32_t)ticket, parts = __atomic_load_n(&job.parts, __ATOMIC_ACQUIRE), threads = __atomic_load_n(&job.threads, __ATOMIC_ACQUIRE);
    void (*work)(void *, int, int) = __atomic_load_n(&job.work, __ATOMIC_ACQUIRE);
    void *data = __atomic_load_n(&job.data, __ATOMIC_ACQUIRE);
    if (part >= parts || thread >= threads) return 0;
    if (!__atomic_compare_exchange_n(&job.ticket, &ticket, ticket + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) continue;
    work(data, part, thread);
    if (__atomic_sub_fetch(&job.left, 1, __ATOMIC_ACQ_REL) == 0 && thread > 0) call(SYS_futex, (long)&job.left, WAKE, 1, 0);
    return 1;
  }
}

static void wait_while(int32_t *value, int32_t seen) {
  for (int spin = 0; __atomic_load_n(value, __ATOMIC_ACQUIRE) == seen; spin++)
    if (spin < SPINS) _mm_pause();
    else call(SYS_futex, (long)value, SLEEP, seen, 0);
}

// Signals are for the threads that expect them; but faults are this thread's own, and those above 31 are libc's, which waits in setuid()
// until every thread has had one.
static void block_signals(void) {
  enum { BLOCK = 0, ILL = 4, TRAP, ABRT, BUS, FPE, SEGV = 11 };
  uint64_t signals = 0x7fffffff & ~(1u << (ILL - 1) | 1u << (TRAP - 1) | 1u << (ABRT - 1) | 1u << (BUS - 1) | 1u << (FPE - 1) | 1u << (SEGV - 1));
  call(SYS_rt_sigprocmask, BLOCK, (long)&signals, 0, sizeof signals);
}

static void *help(void *number) {
  block_signals();
  for (;;) {
    int32_t seen = __atomic_load_n(&job.generation, __ATOMIC_ACQUIRE);
    while (take_part((int)(long)number)) {}
    wait_while(&job.generation, seen);
  }
  return 0;
}

static void start_helpers(int threads) {
  static int32_t started = 1, most = MOST_THREADS;
  static uint64_t ids[MOST_THREADS];
  for (; started < threads && started < most; started++)
    if (!pthread_create || pthread_create(&ids[started], 0, help, (void *)(long)started)) most = started;
}

static void work_alone(int parts, void (*work)(void *, int, int), void *data) {
  for (int part = 0; part < parts; part++) work(data, part, 0);
}

static void publish(int threads, int parts, void (*work)(void *, int, int), void *data) {
  uint64_t number = (__atomic_load_n(&job.ticket, __ATOMIC_RELAXED) >> 32) + 1;
  __atomic_store_n(&job.ticket, number << 32 | CLOSED, __ATOMIC_RELEASE);
  __atomic_store_n(&job.parts, parts, __ATOMIC_RELEASE);
  __atomic_store_n(&job.threads, threads, __ATOMIC_RELEASE);
  __atomic_store_n(&job.work, work, __ATOMIC_RELEASE);
  __atomic_store_n(&job.data, data, __ATOMIC_RELEASE);
  __atomic_store_n(&job.left, parts, __ATOMIC_RELEASE);
  __atomic_store_n(&job.ticket, number << 32, __ATOMIC_RELEASE);
  __atomic_add_fetch(&job.generation, 1, __ATOMIC_RELEASE);
  call(SYS_futex, (long)&job.generation, WAKE, ALL, 0); // all: an earlier job may have had more threads, and which of them sleep is not known
}

void parallel(int threads, int parts, void (*work)(void *, int, int), void *data) {
  int32_t free = 0;
  if (threads <= 1 || parts <= 1 || !__atomic_compare_exchange_n(&job.busy, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    work_alone(parts, work, data);
    return;
  }
  start_helpers(threads);
  publish(threads, parts, work, data);
  while (take_part(0)) {}
  for (int32_t left; (left = __atomic_load_n(&job.left, __ATOMIC_ACQUIRE)) > 0;) wait_while(&job.left, left);
  __atomic_store_n(&job.busy, 0, __ATOMIC_RELEASE);
}
