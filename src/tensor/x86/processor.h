// Levels of processors, each with all that the ones before have, and which one the library's functions run at.
#pragma once

/** As library.ts numbers them. EMULATED_AMX does by plain C what AMX's instructions do, for tests. */
enum { NONE_HERE, AVX2, AVX512, AVX512_BF16, AMX, EMULATED_AMX };

/** The level in force, the same for all threads; -1 until it is chosen. */
int level_in_force(void);
