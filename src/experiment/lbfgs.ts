/** A smooth function: writes its gradient at x into `gradient` and returns its value. */
export type Smooth = (x: Float64Array, gradient: Float64Array) => number;

/** Multiplies a gradient in place by an approximation, up to a factor, of the inverse of the function's second derivatives. */
export type Precondition = (gradient: Float64Array) => void;

/** When to stop: at a gradient whose largest component is at most `tolerance`, or after `maxIterations`. */
export interface StopAt {
  readonly tolerance: number;
  readonly maxIterations: number;
}

/** Where a minimization ended; `gradient` is the largest component's size there. */
export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly gradient: number;
  readonly iterations: number;
}

/** How many steps are remembered, as in scipy's L-BFGS-B. */
const MEMORY = 10;
/** Trials of one line search, as scikit-learn sets it. */
const MAX_TRIALS = 50;
/** A decrease of this share of the value is rounding: nothing is left to gain. */
const ROUNDING = 64 * Number.EPSILON;

/** A point with the function's value and gradient there. */
interface Point {
  readonly x: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
}

/** A point that was accepted, with its gradient preconditioned too. */
interface Place extends Point {
  readonly scaled: Float64Array;
}

/** One remembered step: the change of place, of gradient and of the preconditioned gradient, and 1 / the first two's product. */
interface Step {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly scaled: Float64Array;
  readonly rho: number;
}

/**
 * Minimizes by L-BFGS (Nocedal and Wright, Algorithm 7.5) with ten remembered steps and a line search for the weak Wolfe
 * conditions. Stops early where rounding leaves nothing to gain.
 */
export function minimize(
  f: Smooth,
  start: Float64Array,
  { tolerance, maxIterations }: StopAt,
  precondition: Precondition = () => {},
): Minimum {
  const placeOf = (point: Point): Place => {
    const scaled = point.gradient.slice();
    precondition(scaled);
    return { ...point, scaled };
  };
  let at = placeOf(evaluateAt(f, start.slice()));
  const memory: Step[] = [];
  let iterations = 0;
  while (iterations < maxIterations && largest(at.gradient) > tolerance) {
    const direction = descent(memory, at);
    const first = memory.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(direction, direction))) : 1;
    const found = lineSearch(f, at, direction, first);
    if (!found) break;
    const next = placeOf(found);
    iterations++;
    remember(memory, at, next);
    const gained = at.value - next.value;
    at = next;
    if (gained <= ROUNDING * Math.max(Math.abs(at.value), 1)) break;
  }
  return { x: at.x, value: at.value, gradient: largest(at.gradient), iterations };
}

function evaluateAt(f: Smooth, x: Float64Array): Point {
  const gradient = new Float64Array(x.length);
  return { x, value: f(x, gradient), gradient };
}

/**
 * The two loops of L-BFGS: minus the approximate inverse Hessian times the gradient. The
 * preconditioned vector of the first loop is a sum of vectors that are preconditioned already, since preconditioning is the most expensive
 * part of a step.
 */
function descent(memory: readonly Step[], { gradient, scaled }: Place): Float64Array {
  const rest = gradient.map((v) => -v);
  const direction = scaled.map((v) => -v);
  const shares = memory.map(() => 0);
  for (let i = memory.length - 1; i >= 0; i--) {
    const { s, y, scaled: change, rho } = memory[i]!;
    shares[i] = rho * dot(s, rest);
    add(rest, -shares[i]!, y);
    add(direction, -shares[i]!, change);
  }
  const last = memory.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.scaled));
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  for (const [i, { s, y, rho }] of memory.entries()) add(direction, shares[i]! - rho * dot(y, direction), s);
  return direction;
}

function remember(memory: Step[], from: Place, to: Place): void {
  const s = difference(to.x, from.x);
  const y = difference(to.gradient, from.gradient);
  const product = dot(s, y);
  if (product <= 0) return; // rounding: no curvature can be learned from this step
  memory.push({ s, y, scaled: difference(to.scaled, from.scaled), rho: 1 / product });
  if (memory.length > MEMORY) memory.shift();
}

const difference = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v - b[i]!);

/**
 * A point along the direction that is low and flat enough (weak Wolfe conditions, 1e-4 and 0.9), bracketed by doubling and then
 * narrowed by the secant of the slopes, kept off the bracket's ends; undefined where rounding hides any descent.
 */
function lineSearch(f: Smooth, from: Point, direction: Float64Array, first: number): Point | undefined {
  const slope = dot(from.gradient, direction);
  let [low, lowSlope, high, highSlope] = [0, slope, Number.POSITIVE_INFINITY, 0];
  let step = first;
  for (let trial = 0; trial < MAX_TRIALS && slope < 0; trial++) {
    const point = evaluateAt(f, sum(from.x, step, direction));
    const slopeThere = dot(point.gradient, direction);
    if (!(point.value <= from.value + 1e-4 * step * slope)) [high, highSlope] = [step, slopeThere];
    else if (slopeThere < 0.9 * slope) [low, lowSlope] = [step, slopeThere];
    else return point;
    if (high === Number.POSITIVE_INFINITY) step *= 2;
    else {
      const share = highSlope > 0 ? -lowSlope / (highSlope - lowSlope) : 0.5;
      step = low + Math.min(0.9, Math.max(0.1, share)) * (high - low);
    }
  }
  return undefined;
}

const dot = (a: Float64Array, b: Float64Array): number => dotAt(a, b, 0, a.length);

/** x += scale·y. */
function add(x: Float64Array, scale: number, y: Float64Array): void {
  for (let i = 0; i < x.length; i++) x[i]! += scale * y[i]!;
}

const sum = (x: Float64Array, scale: number, y: Float64Array): Float64Array => {
  const result = x.slice();
  add(result, scale, y);
  return result;
};

const largest = (x: Float64Array): number => x.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** The lower triangle L of a symmetric positive definite matrix [width, width], L·Lᵀ = matrix; of `matrix` only the lower triangle is read. */
export function cholesky(matrix: Float64Array, width: number): Float64Array {
  const lower = new Float64Array(matrix.length);
  for (let i = 0; i < width; i++) {
    const row = lower.subarray(i * width, i * width + i + 1);
    for (let j = 0; j <= i; j++) {
      const rest = matrix[i * width + j]! - dotAt(row, lower, j * width, j);
      row[j] = i === j ? Math.sqrt(rest) : rest / lower[j * width + j]!;
    }
  }
  return lower;
}

/** Solves L·Lᵀ·x = b in place for the vector of `width` numbers that begins at `at`. */
export function choleskySolve(lower: Float64Array, width: number, b: Float64Array, at: number): void {
  const x = b.subarray(at, at + width);
  for (let i = 0; i < width; i++) x[i] = (x[i]! - dotAt(x, lower, i * width, i)) / lower[i * width + i]!;
  for (let i = width - 1; i >= 0; i--) {
    const value = x[i]! / lower[i * width + i]!;
    x[i] = value;
    for (let j = 0; j < i; j++) x[j]! -= value * lower[i * width + j]!;
  }
}

/** Product of the first `length` numbers of a with those of b from `at`; four sums at a time, since one would wait for each addition. */
export function dotAt(a: Float64Array, b: Float64Array, at: number, length: number): number {
  let [s, t, u, v] = [0, 0, 0, 0];
  let j = 0;
  for (; j + 3 < length; j += 4) {
    s += a[j]! * b[at + j]!;
    t += a[j + 1]! * b[at + j + 1]!;
    u += a[j + 2]! * b[at + j + 2]!;
    v += a[j + 3]! * b[at + j + 3]!;
  }
  for (; j < length; j++) s += a[j]! * b[at + j]!;
  return s + t + (u + v);
}
