// Sweeps: theta = theta * keep + scale * z, move after move, or both sides theta ± scale * z. A part of a weight makes all of its moves while it
// is in the nearest cache, and the parts of all weights are shared out among the threads at once, so that small ones cost no wake-up each.
// Compiled apart from the other kernels: that gcc orders instructions before it chooses registers makes z half as fast again with 16 registers, where
// two operations must overlap, and halves the speed of products, which need all registers for their sums.
#include "level.h"
#include "noise.h"
#include "rounding.h"

enum { PART = 4096, PART_GROUPS = SIGNS, TOGETHER = 2 * GROUP }; // elements of a part; of what it begins at a multiple of, whole groups of either law; of two groups

/** What `sweep_part` gets. */
typedef struct {
  stretch *stretches;
  int count;
  const noise_move *moves;
} sweep;

/** Elements of a stretch that one thread takes through the moves. */
typedef struct {
  const stretch *of;
  int64_t from, to;
} piece;

INLINE void *address(const piece *p) { return (char *)p->of->theta + p->from * (p->of->format == FLOAT32 ? 4 : 2); }

// Two groups at once keep the processor busy where one alone would wait for its own results.
INLINE void add_z(float *theta, int64_t n, int64_t element, noise_move move, noise_law law) {
  z_stream z = begin_z(move.key, law, move.scale);
  for (int64_t i = 0; i < n; i += TOGETHER) {
    f32 step[TOGETHER / LANES];
    UNROLLED for (int g = 0; g < TOGETHER; g += GROUP) scaled_z(&z, element + i + g, step + g / LANES);
    UNROLLED for (int k = 0; k < TOGETHER / LANES; k++) store(theta + i + k * LANES, load(theta + i + k * LANES) * move.keep + step[k]);
  }
}

static void add_normals(float *theta, int64_t n, int64_t element, noise_move move) { add_z(theta, n, element, move, GAUSSIAN); }
static void add_signs(float *theta, int64_t n, int64_t element, noise_move move) { add_z(theta, n, element, move, RADEMACHER); }

static void make_moves(float *theta, const piece *p, const noise_move *moves, int64_t count) {
  int64_t n = p->to - p->from, element = p->of->offset + p->from;
  for (int64_t i = 0; i < count; i++)
    if (p->of->law == GAUSSIAN) add_normals(theta, n, element, moves[i]);
    else add_signs(theta, n, element, moves[i]);
}

/** Moves floats where they are, or where the last groups are not whole, in a copy: what lies behind them is not ours. */
static void move_floats(const piece *p, const noise_move *moves) {
  float copy[PART], *theta = address(p);
  int64_t n = p->to - p->from;
  if (n % TOGETHER == 0) {
    make_moves(theta, p, moves, p->of->moves);
    return;
  }
  widen_all(theta, FLOAT32, n, copy);
  make_moves(copy, p, moves, p->of->moves);
  __builtin_memcpy(theta, copy, n * sizeof *theta);
}

static void move_halves(const piece *p, const noise_move *moves) {
  float values[PART];
  uint16_t *theta = address(p);
  int64_t n = p->to - p->from;
  for (int64_t i = 0; i < p->of->moves; i++) {
    widen_all(theta, p->of->format, n, values);
    make_moves(values, p, moves + i, 1);
    narrow_all(values, n, theta, p->of->format, p->of->stochastic ? &moves[i].key : 0, p->from);
  }
}

/** Writes both sides of a piece, which may begin and end within a group of z. */
static void write_sides(const piece *p, noise_move move) {
  const stretch *s = p->of;
  z_stream z = begin_z(move.key, s->law, move.scale);
  float theta[GROUP], sides[2][GROUP];
  for (int64_t group = p->from - p->from % GROUP; group < p->to; group += GROUP) {
    f32 step[GROUP / LANES];
    scaled_z(&z, s->offset + group, step);
    piece here = {s, group < p->from ? p->from : group, group + GROUP < p->to ? group + GROUP : p->to};
    int64_t first = here.from - group, n = here.to - here.from, at = here.from - s->from;
    widen_all(address(&here), s->format, n, theta + first);
    float *plus = n == GROUP ? s->plus + at : sides[0], *minus = n == GROUP ? s->minus + at : sides[1];
    UNROLLED for (int k = 0; k < GROUP / LANES; k++) {
      f32 value = load(theta + k * LANES);
      store(plus + k * LANES, value + step[k]);
      store(minus + k * LANES, value - step[k]);
    }
    if (n == GROUP) continue;
    __builtin_memcpy(s->plus + at, plus + first, n * sizeof *plus);
    __builtin_memcpy(s->minus + at, minus + first, n * sizeof *minus);
  }
}

INLINE int64_t begin_of_parts(const stretch *s) { return s->from - s->from % PART_GROUPS; }
INLINE int64_t count_parts(const stretch *s) { return (s->to - begin_of_parts(s) + PART - 1) / PART; }

static void sweep_part(void *data, int part, int thread) {
  const sweep *all = data;
  (void)thread;
  int low = 0;
  for (int high = all->count; high - low > 1;) { // the last stretch whose first part is not behind this one
    int middle = (low + high) / 2;
    if (all->stretches[middle].first_part <= part) low = middle;
    else high = middle;
  }
  const stretch *s = all->stretches + low;
  int64_t start = begin_of_parts(s) + (part - s->first_part) * PART;
  piece p = {s, start < s->from ? s->from : start, start + PART < s->to ? start + PART : s->to};
  const noise_move *moves = all->moves + s->first_move;
  if (s->plus) write_sides(&p, moves[0]);
  else if (s->format == FLOAT32) move_floats(&p, moves);
  else move_halves(&p, moves);
}

INLINE int is_wrong(const stretch *s) {
  int in_place = !s->plus && !s->minus, both = s->plus && s->minus && s->moves == 1;
  return s->from < 0 || s->to < s->from || s->offset < 0 || s->offset % PART_GROUPS || s->moves < 0 || s->first_move < 0 ||
         s->format < FLOAT32 || s->format > FLOAT16 || s->law < GAUSSIAN || s->law > RADEMACHER || !(both || (in_place && s->from % PART_GROUPS == 0));
}

/** Makes the moves of all stretches, or writes their sides. No two may write to the same elements. */
int LEVEL_NAME(move)(stretch *stretches, int count, const noise_move *moves, int threads) {
  int64_t parts = 0;
  for (int i = 0; i < count; i++) {
    stretch *s = stretches + i;
    if (is_wrong(s)) return BAD_SIZE;
    s->first_part = parts;
    parts += count_parts(s);
  }
  if (parts > INT32_MAX) return BAD_SIZE;
  sweep all = {stretches, count, moves};
  parallel(threads, (int)parts, sweep_part, &all);
  return OK;
}
