// The library's face: its functions by one name, each at the level in force.
#include "api.h"
#include "processor.h"

/** The sources that this was compiled from (build.sh), for whoever has the file alone. */
EXPORT const char mezo_source[] = "mezo-kit: C of SHA-256 " SOURCE;

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

#define FUNCTION(name, parameters, arguments) int avx2_##name parameters, avx512_##name parameters, avx512bf16_##name parameters, amx_##name parameters, emulated_##name parameters;
#define BASE(name, parameters, arguments) int avx2_##name parameters, avx512_##name parameters;
#include "functions.h"
#undef FUNCTION
#undef BASE
#define FUNCTION(name, parameters, arguments) \
  EXPORT int mezo_##name parameters { \
    switch (level_in_force()) { \
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
    switch (level_in_force()) { \
      case AVX2: case EMULATED_AMX: return avx2_##name arguments; \
      case AVX512: case AVX512_BF16: case AMX: return avx512_##name arguments; \
      default: return NO_PROCESSOR; \
    } \
  }
#include "functions.h"
