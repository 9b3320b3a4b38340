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

enum { M = 75, N = 210, K = 1216 };

static float x[2][M * K], w[N * K], bias[N], y[2][2][M * N];

static void fill(float *values, int count, unsigned seed) {
  for (int i = 0; i < count; i++) values[i] = (float)rand_r(&seed) / (float)RAND_MAX - 0.5f;
}

/** How far the two levels' results lie apart at most; a sum of K products of such values is a few units large. */
static double difference(product_kind kind, product_sides sides, noise_law law, int threads, int m, int n, int k) {
  int64_t bytes;
  if (amx_product_scratch(kind, sides, threads, m, n, k, &bytes)) refuse("product_scratch");
  void *scratch = malloc(bytes);
  for (int level = 0; level < 2; level++) {
    int wrong = (level ? emulated_product : amx_product)(kind, sides, threads, m, n, k, w, FLOAT32, N * K, 0, k, 1, 2, 3, law, 1e-2f, x[0], x[1], bias, bias, 0, 0, y[level][0], y[level][1], NONE, scratch, bytes);
    if (wrong) refuse("product");
  }
  free(scratch);
  double most = 0;
  for (int side = 0; side < (sides == ONE_SIDE ? 1 : 2); side++)
    for (int i = 0; i < m * n; i++) most = __builtin_fmax(most, __builtin_fabs((double)y[0][side][i] - y[1][side][i]));
  return most;
}

int main(void) {
  syscall(SYS_arch_prctl, 0x1023, 18); // tiles, where the processor has them
  emulate_tiles();
  fill(x[0], M * K, 1), fill(x[1], M * K, 2), fill(w, N * K, 3), fill(bias, N, 4);
  static const int SIZES[][3] = {{1, 1, 64}, {16, 33, 128}, {17, 64, 192}, {33, 100, 64}, {M, N, K}};
  for (product_kind kind = IN_FLOAT32; kind <= IN_DIFFERENCE; kind++)
    for (product_sides sides = ONE_SIDE; sides <= MOVED_WEIGHT; sides++)
      for (int size = 0; size < 5; size++) {
        const int *s = SIZES[size];
        double apart = difference(kind, sides, size % 2 ? RADEMACHER : GAUSSIAN, 1 + size % 3, s[0], s[1], s[2]);
        if (!(apart < 1e-4)) printf("kind %d, sides %d, [%d, %d, %d]: %g apart\n", kind, sides, s[0], s[1], s[2], apart);
      }
  printf("%s\n", tile_products ? "compared, tiles emulated" : "compared");
}
