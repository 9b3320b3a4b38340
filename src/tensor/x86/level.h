// What each file has that is compiled once for each level of processors (build.sh): the same source, as wide as the level's registers.
#pragma once
#include "api.h"
#include "vector.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
/** An exported function's name in this level. */
#define LEVEL_NAME(name) JOIN(LEVEL, name)
