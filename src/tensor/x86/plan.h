// How each kind of product is put together: which forms of X and W are packed, and which of their products each output adds up.
#pragma once

/** Of two sides plus and minus: one, their mean, or half of plus - minus. Of W they are W + eps z, W - eps z, W and eps z. */
typedef enum { PLUS, MINUS, MEAN, HALF_DIFFERENCE } side_form;

/** The value in float32, rounded to bfloat16, or what that rounding leaves of it, rounded in turn. */
typedef enum { WHOLE, HIGH, LOW } value_part;

typedef struct {
  uint8_t side, part;
} operand_form;

enum { MOST_FORMS = 4, MOST_TERMS = 3 };

/** The product of a form of X and a form of W, by their numbers. */
typedef struct {
  uint8_t x, w;
} term;

typedef struct {
  uint8_t xs, ws, outputs, terms[2]; // how many forms of each, outputs, and terms of each output
  uint8_t is_mean;                   // the outputs are the mean and half the difference of the sides, in place of the sides
  operand_form x[MOST_FORMS], w[MOST_FORMS];
  term term[2][MOST_TERMS];
} product_plan;

#define FLOATS(side) {side, WHOLE}
#define PAIRS(side) {side, HIGH}
#define BOTH_PARTS(side) {side, HIGH}, {side, LOW}
#define THREE(x, w) {{x, w}, {x, w + 1}, {x + 1, w}}

static const product_plan PLANS[][4] = {
    [IN_FLOAT32] =
        {
            [ONE_SIDE] = {1, 1, 1, {1, 1}, 0, {FLOATS(PLUS)}, {FLOATS(MEAN)}, {{{0, 0}}}},
            [STILL_WEIGHT] = {2, 1, 2, {1, 1}, 0, {FLOATS(PLUS), FLOATS(MINUS)}, {FLOATS(MEAN)}, {{{0, 0}}, {{1, 0}}}},
            [MOVED_WEIGHT] = {2, 2, 2, {1, 1}, 0, {FLOATS(PLUS), FLOATS(MINUS)}, {FLOATS(PLUS), FLOATS(MINUS)}, {{{0, 0}}, {{1, 1}}}},
            [ONE_MOVED] = {1, 1, 1, {1, 1}, 0, {FLOATS(PLUS)}, {FLOATS(PLUS)}, {{{0, 0}}}},
        },
    [IN_BF16] =
        {
            [ONE_SIDE] = {1, 1, 1, {1, 1}, 0, {PAIRS(PLUS)}, {PAIRS(MEAN)}, {{{0, 0}}}},
            [STILL_WEIGHT] = {2, 1, 2, {1, 1}, 0, {PAIRS(PLUS), PAIRS(MINUS)}, {PAIRS(MEAN)}, {{{0, 0}}, {{1, 0}}}},
            [MOVED_WEIGHT] = {2, 2, 2, {1, 1}, 0, {PAIRS(PLUS), PAIRS(MINUS)}, {PAIRS(PLUS), PAIRS(MINUS)}, {{{0, 0}}, {{1, 1}}}},
            [ONE_MOVED] = {1, 1, 1, {1, 1}, 0, {PAIRS(PLUS)}, {PAIRS(PLUS)}, {{{0, 0}}}},
        },
    [IN_BF16X3] =
        {
            [ONE_SIDE] = {2, 2, 1, {3, 3}, 0, {BOTH_PARTS(PLUS)}, {BOTH_PARTS(MEAN)}, {THREE(0, 0)}},
            [STILL_WEIGHT] = {4, 2, 2, {3, 3}, 0, {BOTH_PARTS(PLUS), BOTH_PARTS(MINUS)}, {BOTH_PARTS(MEAN)}, {THREE(0, 0), THREE(2, 0)}},
            [MOVED_WEIGHT] = {4, 4, 2, {3, 3}, 0, {BOTH_PARTS(PLUS), BOTH_PARTS(MINUS)}, {BOTH_PARTS(PLUS), BOTH_PARTS(MINUS)}, {THREE(0, 0), THREE(2, 2)}},
            [ONE_MOVED] = {2, 2, 1, {3, 3}, 0, {BOTH_PARTS(PLUS)}, {BOTH_PARTS(PLUS)}, {THREE(0, 0)}},
        },
    // What rounding leaves of the mean of X counts: it decides where a ReLU is passed on, and so what becomes of the difference.
    [IN_DIFFERENCE] =
        {
            [STILL_WEIGHT] = {3, 1, 2, {2, 1}, 1, {BOTH_PARTS(MEAN), PAIRS(HALF_DIFFERENCE)}, {PAIRS(MEAN)}, {{{0, 0}, {1, 0}}, {{2, 0}}}},
            [MOVED_WEIGHT] = {3, 2, 2, {3, 2}, 1, {BOTH_PARTS(MEAN), PAIRS(HALF_DIFFERENCE)}, {PAIRS(MEAN), PAIRS(HALF_DIFFERENCE)}, {{{0, 0}, {1, 0}, {2, 1}}, {{2, 0}, {0, 1}}}},
        },
};

INLINE int is_one_side(product_sides sides) { return sides == ONE_SIDE || sides == ONE_MOVED; }

/** The plan of a product. One side alone has no difference: it is done as exactly as float32 would, which tiles do by halves. */
INLINE const product_plan *plan_of(product_kind kind, product_sides sides) {
#ifdef TILES
  product_kind alone = IN_BF16X3;
#else
  product_kind alone = IN_FLOAT32;
#endif
  return &PLANS[kind == IN_DIFFERENCE && is_one_side(sides) ? alone : kind][sides];
}

INLINE int is_in_pairs(const product_plan *plan) { return plan->x[0].part != WHOLE; }
/** Units of so many values of a row, and the reverse. */
INLINE int64_t units_of(const product_plan *plan, int64_t values) { return is_in_pairs(plan) ? values / 2 : values; }
INLINE int64_t values_of(const product_plan *plan, int64_t units) { return is_in_pairs(plan) ? units * 2 : units; }
