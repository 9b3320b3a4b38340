// Which level this processor has, and which is in force. Compiled for any x86-64: a level's own instructions run only where this finds them.
#include "api.h"
#include "processor.h"
#include "system.h"
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };
enum { EXTENDED = 0x80000001u };
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 };
/** What the system saves of registers when it changes threads, in XCR0. */
enum { SAVES_YMM = 0x6, SAVES_ZMM = 0xe6, SAVES_TILES = 0x60000 };

static int has(unsigned leaf, unsigned part, int reg, unsigned bits) {
  unsigned r[4] = {0};
  return __get_cpuid_count(leaf, part, &r[0], &r[1], &r[2], &r[3]) && (r[reg] & bits) == bits;
}

static int saves(unsigned bits) {
  if (!has(1, 0, ECX, bit_OSXSAVE)) return 0;
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & bits) == bits;
}

// All that gcc may use for -march=x86-64-v3, and below that what v4 adds: a virtual machine may hide any of them.
static int has_avx2(void) {
  return saves(SAVES_YMM) && has(1, 0, ECX, bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT | bit_AVX | bit_FMA | bit_F16C | bit_MOVBE) &&
         has(7, 0, EBX, bit_AVX2 | bit_BMI | bit_BMI2) && has(EXTENDED, 0, ECX, bit_LZCNT);
}
static int has_avx512(void) {
  return saves(SAVES_ZMM) && has(7, 0, EBX, bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL);
}

// A process must ask the system for tiles, once for all of its threads.
static int gets_tiles(void) {
  return saves(SAVES_TILES) && has(7, 0, EDX, bit_AMX_TILE | bit_AMX_BF16) && call(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA, 0, 0) == 0;
}

/** The best level of this processor, of which the process may then use everything. */
EXPORT int mezo_best_level(void) {
  if (!has_avx2()) return NONE_HERE;
  if (!has_avx512()) return AVX2;
  if (!has(7, 1, EAX, bit_AVX512BF16)) return AVX512;
  return gets_tiles() ? AMX : AVX512_BF16;
}

static int level = -1;

int level_in_force(void) {
  return __atomic_load_n(&level, __ATOMIC_RELAXED);
}

/**
 * Chooses a level that this processor has, or the emulated one; returns the level in force. The first choice stays: levels lay out packed
 * memory each in its way, and a Worker that comes later must not change it for those at work.
 */
EXPORT int mezo_use_level(int wanted) {
  int best = mezo_best_level(), unset = -1;
  int fits = (wanted >= NONE_HERE && wanted <= best) || (wanted == EMULATED_AMX && best >= AVX2);
  __atomic_compare_exchange_n(&level, &unset, fits ? wanted : best, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return level_in_force();
}
