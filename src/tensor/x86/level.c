// All kernels, compiled once for each level of processors (build.sh): the same source, as wide as the level's registers.
#include "api.h"
#include "vector.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
/** An exported function's name in this level. */
#define LEVEL_NAME(name) JOIN(LEVEL, name)

#include "activation.h"
#include "noise.h"
#include "product.h"

#ifdef BASE_LEVEL
#include "attention.h"
#include "attentionGradient.h"
#include "elementwise.h"
#include "gradients.h"
#include "logSums.h"
#include "moves.h"
#include "norm.h"
#include "rotary.h"
#include "weights.h"
#endif
