// Included before the library's threads.c in the test: threads sometimes hesitate between any two steps, for as long as whole jobs last.
#include <sched.h>
#include <time.h>

static inline void hesitate(void) {
  static _Thread_local unsigned turn;
  if (++turn % 16 == 0) sched_yield();
  if (turn % 256 == 0) nanosleep(&(struct timespec){.tv_nsec = 50000}, 0);
}
#define __atomic_compare_exchange_n(...) (hesitate(), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_store_n(...) (hesitate(), __atomic_store_n(__VA_ARGS__))
