// All kernels but the sweeps (moves.c), for one level.
#include "level.h"
#include "activation.h"
#include "noise.h"
#include "product.h"

#ifdef BASE_LEVEL
#include "attention.h"
#include "attentionGradient.h"
#include "elementwise.h"
#include "gradients.h"
#include "logSums.h"
#include "norm.h"
#include "outer.h"
#include "rotary.h"
#include "weights.h"
#endif
