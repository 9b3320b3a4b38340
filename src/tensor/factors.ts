import * as tf from "@tensorflow/tfjs-core";
import { storage } from "./backend.ts";
import { narrow, widen } from "./halves.ts";
import { type Distribution, type Factors, noiseKey, wholeStretch } from "./noise/key.ts";
import { moveMany } from "./noise/sweep.ts";
import { type Draw, denseLaw, type Law, movesOf, type Parameter, type Perturb } from "./parameter.ts";
import { isHalves } from "./source.ts";
import type { Both, WeightMoves } from "./storage.ts";
import { addOuter } from "./x86/outer.ts";

/** Of which rank the z of matrices is, and for how many steps its right factor stays the same. */
export interface LowRank {
  readonly rank: number;
  readonly interval: number;
}

/** V's key has this index, far from those of a step's z. */
const RIGHT_INDEX = 2 ** 31;

/**
 * z of low rank (LOZO, Chen et al. 2024): of a matrix [m, n] U Vᵀ, with U [m, rank] new at each step and V [n, rank] the same for `interval`
 * steps, both standard normal; of any other weight standard normal. U Vᵀ is never formed. `shrink` multiplies it, but not the others' z.
 */
export function lowRank({ rank, interval }: LowRank, shrink = 1): Perturb {
  return byFactors((theta, draw) => {
    const matrices = theta.filter(({ value }) => value.shape.length === 2);
    const lefts = normals(matrices, 0, rank, draw);
    const rights = normals(matrices, 1, rank, rightDraw(draw, interval));
    const shrunk = shrink === 1 ? lefts : lefts.map((left) => left.map((u) => u * shrink));
    return new Map(matrices.map(({ name }, i) => [name, { left: shrunk[i]!, right: rights[i]!, rank }]));
  });
}

/** The draw of the right factor at a step. */
export const rightDraw = ({ seed, step }: Draw, interval: number): Draw => ({
  ...{ seed, step: step - (step % interval) },
  index: RIGHT_INDEX,
});

/** Standard normals [rank, size] for each weight, whose sizes are those of an axis; from the keys of the draw. */
export function normals(weights: readonly Parameter[], axis: 0 | 1, rank: number, draw: Draw): Float32Array[] {
  const { seed, step, index } = draw;
  const arrays = weights.map(({ value }) => new Float32Array(rank * sizesOf(value)[axis]));
  moveMany(
    weights.map(({ name }, i) =>
      wholeStretch(arrays[i]!, [{ key: noiseKey(seed, step, name, index), scale: 1, keep: 1 }], "gaussian"),
    ),
  );
  return arrays;
}

/** A direction given by factors; z of weights that have none is standard normal. */
export function byFactors(factorsOf: Exclude<Law, Distribution>["factorsOf"]): Perturb {
  const law = { factorsOf };
  const perturb: Perturb = (theta, scale, draw, keep = 1) =>
    moveWeights(movesOf(law, theta, { scale, draw, keep }), law);
  return Object.assign(perturb, { law });
}

/** Makes the moves of every weight, to the same bits on every backend; those of one weight have factors all or none. */
export function moveWeights(weights: readonly WeightMoves[], law: Law): void {
  const isDense = ({ moves }: WeightMoves): boolean => moves[0]!.factors === undefined;
  storage().move(weights.filter(isDense), denseLaw(law));
  for (const weight of weights) if (!isDense(weight)) (storage().source ? addInMemory : addOnDevice)(weight);
}

/** Rows and columns, a vector being one row. */
function sizesOf({ shape }: tf.TensorInfo): [rows: number, columns: number] {
  return shape.length === 2 ? (shape as [number, number]) : [1, tf.util.sizeFromShape(shape)];
}

function addInMemory({ tensor, moves }: WeightMoves): void {
  const source = storage().source!(tensor);
  storage().fill(tensor, (theta) => {
    for (const { factors, scale, keep, key } of moves) {
      addOuter(theta, sizesOf(tensor), { ...factors!, left: scaled(factors!.left, scale) }, keep);
      if (!isHalves(source)) continue;
      narrow(theta, source, 0, key);
      widen(source, 0, theta);
    }
  });
}

const scaled = (left: Float32Array, scale: number): Float32Array => left.map((u) => u * Math.fround(scale));

/** By single operations, which round as `addOuter` does. */
function addOnDevice({ tensor, moves }: WeightMoves): void {
  const [rows, columns] = sizesOf(tensor);
  const { copy, round } = storage();
  for (const { factors, scale, keep, key } of moves)
    tf.tidy(() => {
      const { left, right, rank } = factors!;
      const wide = tf.zeros([rows, columns]);
      copy(tensor, wide);
      let sum: tf.Tensor = keep === 1 ? wide : tf.mul(wide, keep);
      for (let k = 0; k < rank; k++) {
        const u = tf.tensor2d(scaled(left.subarray(k * rows, (k + 1) * rows), scale), [rows, 1]);
        const v = tf.tensor2d(right.slice(k * columns, (k + 1) * columns), [1, columns]);
        sum = tf.add(sum, tf.mul(u, v));
      }
      if (round) round(sum, tensor, key);
      else copy(sum, tensor);
    });
}

/** Both sides of a weight, theta ± eps leftᵀ right, as new tensors. */
export function factorSides(tensor: tf.Tensor, { left, right, rank }: Factors, eps: number): Both {
  const [rows, columns] = sizesOf(tensor);
  const sides = tf.tidy(() => {
    const wide = tf.zeros([rows, columns]);
    storage().copy(tensor, wide);
    const [u, v] = [tf.tensor2d(left, [rank, rows]), tf.tensor2d(right, [rank, columns])];
    const change = tf.mul(tf.matMul(u, v, true), eps);
    return [tf.add(wide, change), tf.sub(wide, change)].map((side) => tf.reshape(side, tensor.shape));
  });
  return { plus: sides[0]!, minus: sides[1]! };
}

/** Elements `from` up to `to` of a weight in memory, on both sides. */
export function formPart(
  tensor: tf.TensorInfo,
  { left, right, rank }: Factors,
  eps: number,
  {
    from,
    to,
    sides: { plus, minus },
  }: { readonly from: number; readonly to: number; readonly sides: Both<Float32Array> },
): void {
  const [rows, columns] = sizesOf(tensor);
  const [source, into] = [storage().source!(tensor), plus.subarray(0, to - from)];
  if (isHalves(source)) widen(source, from, into);
  else into.set(source.subarray(from, to));
  for (let at = from; at < to; at++) {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let change = 0;
    for (let k = 0; k < rank; k++) change += left[k * rows + row]! * right[k * columns + column]!;
    const value = plus[at - from]!;
    plus[at - from] = value + eps * change;
    minus[at - from] = value - eps * change;
  }
}
