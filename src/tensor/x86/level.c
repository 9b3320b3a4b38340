// All kernels, compiled once for each level of processors (build.sh): the same source, as wide as the level's registers.
#include "api.h"
#include "vector.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
/** An exported function's name in this level. */
#define LEVEL_NAME(name) JOIN(LEVEL, name)

#include "noise.h"

#ifdef BASE_LEVEL
#include "moves.h"
#endif
