// Runs the products of level amx, its very code, and those of level emulated, which any processor runs, and compares what they write. A
// processor without tiles has their instructions done by tiles.h. made.slow.test.ts links this with build.sh's objects.
#define _GNU_SOURCE
#include "../../../src/tensor/x86/api.h"
#include "tiles.h"
#include <sys/syscall.h>
#include <unistd.h>

#define FUNCTION(name, parameters, arguments) int amx_##name parameters, emulated_##name parameters;
#define BASE(name, parameters, arguments)
#include "../../../src/tensor/x86/functions.h"

enum { M = 75, N = 192, K = 1216 };

static float x[2][M * K], w[N * K], bias[N], y[2][2][M * N];

static void fill(float *values, int count, unsigned seed) {
  for (int i = 0; i < count; i++) values[i] = (float)rand_r(&seed) / (float)RAND_MAX - 0.5f;
}

/** How far the two levels' results lie apart at most; a sum of K products of such values is a few units large. */
static double difference(product_shape shape) {
  int64_t bytes;
  if (amx_product_scratch(&shape, &bytes)) refuse("product_scratch");
  void *scratch = malloc(bytes);
  if (amx_product(&shape, 1e-2f, w, x[0], x[1], bias, bias, 0, 0, y[0][0], y[0][1], 0, 0, 0, scratch, bytes)) refuse("product");
  if (emulated_product(&shape, 1e-2f, w, x[0], x[1], bias, bias, 0, 0, y[1][0], y[1][1], 0, 0, 0, scratch, bytes)) refuse("product");
  free(scratch);
  double most = 0;
  for (int side = 0; side < (shape.sides == ONE_SIDE ? 1 : 2); side++)
    for (int i = 0; i < shape.m * shape.n; i++) most = __builtin_fmax(most, __builtin_fabs((double)y[0][side][i] - y[1][side][i]));
  return most;
}

static void compare(product_kind kind, product_sides sides, product_order order, int size) {
  static const int SIZES[][3] = {{5, 64, 64}, {16, 64, 128}, {17, 64, 192}, {33, 128, 64}, {M, N, K}};
  int m = SIZES[size][0], n = SIZES[size][1], k = SIZES[size][2], stride = order == X_WT ? k : n;
  noise_law law = size % 2 ? RADEMACHER : GAUSSIAN;
  double apart = difference((product_shape){kind, sides, order, m, n, k, FLOAT32, N * K, 0, stride, {1, 2, 3}, 0, law, NONE, 1 + size % 3});
  if (!(apart < 1e-4)) printf("kind %d, sides %d, order %d, [%d, %d, %d]: %g apart\n", kind, sides, order, m, n, k, apart);
}

int main(void) {
  syscall(SYS_arch_prctl, 0x1023, 18); // tiles, where the processor has them
  emulate_tiles();
  fill(x[0], M * K, 1), fill(x[1], M * K, 2), fill(w, N * K, 3), fill(bias, N, 4);
  for (product_kind kind = IN_FLOAT32; kind <= IN_DIFFERENCE; kind++)
    for (int size = 0; size < 5; size++) {
      for (product_sides sides = ONE_SIDE; sides <= MOVED_WEIGHT; sides++) compare(kind, sides, X_WT, size);
      compare(kind, ONE_SIDE, X_W, size);
      compare(kind, ONE_SIDE, XT_W, size);
    }
  printf("%s\n", tile_products ? "compared, tiles emulated" : "compared");
}
