// The library's face: which level this processor has, the threads, and the functions by one name. No libc is linked: system calls are made here,
// and of the process that loads the library pthread_create alone is used.
#include "api.h"
#include <cpuid.h>
#include <immintrin.h>

#define EXPORT __attribute__((visibility("default")))

enum { SYS_arch_prctl = 158, SYS_futex = 202, SYS_rt_sigprocmask = 14, ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
enum { WAIT = 128, WAKE = 129 }; // of a futex that no other process sees

static long call(long number, long a, long b, long c, long d) {
  long result;
  register long fourth __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  return result;
}

// The compiler may call these two for loops that copy and fill.
void *memcpy(void *to, const void *from, size_t n) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
  return start;
}
void *memset(void *to, int value, size_t n) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
  return start;
}

/** Levels of processors, each with all that the ones before have. EMULATED_AMX does by plain C what AMX's instructions do, for tests. */
enum { NONE_HERE, AVX2, AVX512, AVX512_BF16, AMX, EMULATED_AMX };

static unsigned feature(unsigned leaf, unsigned part, int reg, int bit) {
  unsigned r[4] = {0};
  return __get_cpuid_count(leaf, part, &r[0], &r[1], &r[2], &r[3]) ? r[reg] >> bit & 1 : 0;
}

static int best_level(void) {
  enum { EAX, EBX, ECX, EDX };
  if (!feature(1, 0, ECX, 27)) return NONE_HERE; // OSXSAVE
  unsigned saved, high;
  __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  int avx2 = (saved & 6) == 6 && feature(1, 0, ECX, 12) && feature(1, 0, ECX, 29) && feature(7, 0, EBX, 5) && feature(7, 0, EBX, 8); // FMA, F16C, AVX2, BMI2
  if (!avx2) return NONE_HERE;
  int avx512 = (saved & 0xe6) == 0xe6 && feature(7, 0, EBX, 16) && feature(7, 0, EBX, 17) && feature(7, 0, EBX, 28) && feature(7, 0, EBX, 30) && feature(7, 0, EBX, 31); // F, DQ, CD, BW, VL
  if (!avx512) return AVX2;
  if (!feature(7, 1, EAX, 5)) return AVX512;
  int amx = (saved & 0x60000) == 0x60000 && feature(7, 0, EDX, 22) && feature(7, 0, EDX, 24); // AMX-BF16, AMX-TILE
  return amx && call(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA, 0, 0) == 0 ? AMX : AVX512_BF16;
}

static int level = -1;

/** The best level of this processor; AMX has then been asked for, which a process must do once. */
EXPORT int mezo_best_level(void) { return best_level(); }

/** Chooses a level that this processor has, or the emulated one; returns the level in force. */
EXPORT int mezo_use_level(int wanted) {
  int best = best_level();
  int has = wanted <= best || (wanted == EMULATED_AMX && best >= AVX2);
  return level = has ? wanted : best;
}

// ---- threads
extern int pthread_create(void *, const void *, void *(*)(void *), void *) __attribute__((weak));

enum { MOST_THREADS = 64, SPINS = 3000 };

// A ticket is a job's number above the number of its next part. Who would take a part of a job that is over finds the ticket changed, so
// that nobody waits for a helper that wakes up late.
static struct {
  uint64_t ticket;
  int32_t busy, generation, parts, left, threads;
  void (*work)(void *, int, int);
  void *data;
} job;
static int32_t started = 1;
static uint64_t ids[MOST_THREADS];

static int take_part(int thread) {
  uint64_t ticket = __atomic_load_n(&job.ticket, __ATOMIC_ACQUIRE);
  for (;;) {
    int32_t part = (int32_t)ticket, parts = __atomic_load_n(&job.parts, __ATOMIC_RELAXED), threads = __atomic_load_n(&job.threads, __ATOMIC_RELAXED);
    void (*work)(void *, int, int) = __atomic_load_n(&job.work, __ATOMIC_RELAXED);
    void *data = __atomic_load_n(&job.data, __ATOMIC_RELAXED);
    if (part >= parts || thread >= threads) return 0;
    if (!__atomic_compare_exchange_n(&job.ticket, &ticket, ticket + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) continue;
    work(data, part, thread);
    if (__atomic_sub_fetch(&job.left, 1, __ATOMIC_ACQ_REL) == 0) call(SYS_futex, (long)&job.left, WAKE, 1, 0);
    return 1;
  }
}

static void wait_while(int32_t *value, int32_t seen) {
  for (int spin = 0; __atomic_load_n(value, __ATOMIC_ACQUIRE) == seen; spin++)
    if (spin < SPINS) _mm_pause();
    else call(SYS_futex, (long)value, WAIT, seen, 0);
}

static void *help(void *number) {
  uint64_t signals = ~0ull;
  call(SYS_rt_sigprocmask, 0, (long)&signals, 0, 8); // they are for the threads that expect them
  for (int32_t seen = 0;; seen = __atomic_load_n(&job.generation, __ATOMIC_ACQUIRE)) {
    while (take_part((int)(long)number)) {}
    wait_while(&job.generation, seen);
  }
  return 0;
}

static void start_helpers(int threads) {
  for (; started < threads && started < MOST_THREADS && pthread_create; started++)
    if (pthread_create(&ids[started], 0, help, (void *)(long)started)) break;
}

void parallel(int threads, int parts, void (*work)(void *, int, int), void *data) {
  int32_t free = 0;
  if (threads <= 1 || parts <= 1 || !__atomic_compare_exchange_n(&job.busy, &free, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    for (int part = 0; part < parts; part++) work(data, part, 0);
    return;
  }
  start_helpers(threads);
  uint64_t number = (__atomic_load_n(&job.ticket, __ATOMIC_RELAXED) >> 32) + 1;
  __atomic_store_n(&job.ticket, number << 32 | 0x7fffffff, __ATOMIC_SEQ_CST); // closed while the job is written
  __atomic_store_n(&job.parts, parts, __ATOMIC_RELAXED);
  __atomic_store_n(&job.threads, threads, __ATOMIC_RELAXED);
  __atomic_store_n(&job.work, work, __ATOMIC_RELAXED);
  __atomic_store_n(&job.data, data, __ATOMIC_RELAXED);
  __atomic_store_n(&job.left, parts, __ATOMIC_RELAXED);
  __atomic_store_n(&job.ticket, (number + 1) << 32, __ATOMIC_RELEASE);
  __atomic_add_fetch(&job.generation, 1, __ATOMIC_RELEASE);
  call(SYS_futex, (long)&job.generation, WAKE, threads - 1, 0);
  while (take_part(0)) {}
  for (int32_t left; (left = __atomic_load_n(&job.left, __ATOMIC_ACQUIRE)) > 0;) wait_while(&job.left, left);
  __atomic_store_n(&job.busy, 0, __ATOMIC_RELEASE);
}

// ---- the functions by one name
#define FUNCTION(name, parameters, arguments) int avx2_##name parameters, avx512_##name parameters, avx512bf16_##name parameters, amx_##name parameters, emulated_##name parameters;
#define BASE(name, parameters, arguments) int avx2_##name parameters, avx512_##name parameters;
#include "functions.h"
#undef FUNCTION
#undef BASE
#define FUNCTION(name, parameters, arguments) \
  EXPORT int mezo_##name parameters { \
    switch (level) { \
      case AVX2: return avx2_##name arguments; \
      case AVX512: return avx512_##name arguments; \
      case AVX512_BF16: return avx512bf16_##name arguments; \
      case AMX: return amx_##name arguments; \
      case EMULATED_AMX: return emulated_##name arguments; \
      default: return NO_PROCESSOR; \
    } \
  }
#define BASE(name, parameters, arguments) \
  EXPORT int mezo_##name parameters { \
    switch (level) { \
      case AVX2: case EMULATED_AMX: return avx2_##name arguments; \
      case AVX512: case AVX512_BF16: case AMX: return avx512_##name arguments; \
      default: return NO_PROCESSOR; \
    } \
  }
#include "functions.h"
