import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import seedrandom from "seedrandom";
import type { Progress } from "../tensor/progress.ts";
import { refuseUnknown, refuseUnless, wholeFromOne } from "../tuners/zeroth.ts";
import { dot, type Landscape, norm, type Slope } from "./landscape.ts";

/** A symmetric matrix by its products. */
export type Product = (direction: Float32Array) => Promise<Float32Array>;

/** An approximate eigenvalue of Lanczos' method, and the share of the starting direction's square along its eigenvector; all shares add up to 1. */
export interface Ritz {
  readonly value: number;
  readonly share: number;
}

/** What Lanczos' method found: values, largest first, and its orthonormal directions. */
export interface Krylov {
  readonly ritz: readonly Ritz[];
  readonly basis: readonly Float32Array[];
}

/**
 * Lanczos' method from one direction, with every new direction made orthogonal to all before: `steps` products give as many Ritz values, of
 * which those at both ends converge first. It keeps one direction per step, and ends early when the directions span an invariant subspace.
 */
export async function lanczos(product: Product, start: Float32Array, steps: number): Promise<Krylov> {
  const basis = [scale(start, 1 / norm(start))];
  const diagonal: number[] = [];
  const beside: number[] = [];
  for (let k = 0; k < steps; k++) {
    const next = await product(basis[k]!);
    diagonal.push(dot(basis[k]!, next));
    for (let pass = 0; pass < 2; pass++) removeAlong(next, basis);
    const length = norm(next);
    if (k + 1 === steps || length < 1e-6 * Math.max(...diagonal.map(Math.abs))) break;
    beside.push(length);
    basis.push(scale(next, 1 / length));
  }
  return { ritz: computeRitz(diagonal, beside), basis };
}

function computeRitz(diagonal: readonly number[], beside: readonly number[]): Ritz[] {
  const size = diagonal.length;
  const matrix = Matrix.zeros(size, size);
  diagonal.forEach((value, i) => {
    matrix.set(i, i, value);
  });
  beside.slice(0, size - 1).forEach((value, i) => {
    matrix.set(i, i + 1, value);
    matrix.set(i + 1, i, value);
  });
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const found = realEigenvalues.map((value, i) => ({ value, share: eigenvectorMatrix.get(0, i) ** 2 }));
  return found.sort((a, b) => b.value - a.value);
}

function scale(direction: Float32Array, by: number): Float32Array {
  return direction.map((value) => value * by);
}

/** Removes from a direction its components along orthonormal ones, in place. */
export function removeAlong(direction: Float32Array, basis: readonly Float32Array[]): void {
  for (const known of basis) {
    const along = dot(known, direction);
    for (let i = 0; i < direction.length; i++) direction[i]! -= along * known[i]!;
  }
}

/** How closely to measure the Hessian. */
export interface SpectrumOptions {
  /** Products of Lanczos' method (16): about half as many eigenvalues at the ends are accurate. It keeps a vector of theta's size for each. */
  readonly steps?: number;
  /** Random directions for the trace (16). */
  readonly draws?: number;
  /** The distance along a random direction, per weight: the eps of MeZO (1e-3). */
  readonly eps?: number;
  readonly seed?: number;
  readonly onProgress?: Progress;
}

/** The measured Hessian of a loss. */
export interface Spectrum extends Slope {
  readonly dimension: number;
  /** Ritz values, largest first, with the shares of the gradient's square along them. */
  readonly ritz: readonly Ritz[];
  /** The sum of all eigenvalues, and the estimate's standard error. */
  readonly trace: Estimate;
  /** The largest absolute eigenvalue. */
  readonly norm: number;
  /** tr(H) / ‖H‖, on which, and not on the dimension, MeZO's rate depends (Section 4, Assumption 1). */
  readonly effectiveRank: number;
  /** g'Hg / g'g: the curvature along the gradient. */
  readonly alongGradient: number;
}

/** A mean, and its standard error. */
export interface Estimate {
  readonly mean: number;
  readonly standardError: number;
}

const KNOWN = ["steps", "draws", "eps", "seed", "onProgress"];

/**
 * Measures the ends and the trace of the Hessian's spectrum from products with it, each of which takes two gradients: Lanczos' method from
 * the gradient for the ends; for the trace its directions' exact share plus Hutchinson's estimate v'Hv of the rest (Hutch++, Meyer et al.
 * 2021). Unlike the paper, whose effective rank is that of a bound on the Hessian around theta, this is the Hessian's at theta. Throws a
 * KitError for invalid options.
 */
export async function spectrum(land: Landscape, options: SpectrumOptions = {}): Promise<Spectrum> {
  const { steps = 16, draws = 16, eps = 1e-3, seed = 0, onProgress = () => {} } = options;
  refuseUnknown("spectrum", options, KNOWN);
  refuseUnless("spectrum", [wholeFromOne("number of steps", steps), wholeFromOne("number of draws", draws)]);
  let done = 0;
  const measureProduct: Landscape["curvature"] = async (direction, reach) => {
    const product = await land.curvature(direction, reach);
    onProgress({ label: "Hessian", done: ++done, total: steps + draws });
    return product;
  };
  const slope = await land.gradient();
  const krylov = await lanczos((direction) => measureProduct(direction), slope.gradient, steps);
  const rest: number[] = [];
  for (let i = 0; i < draws; i++)
    rest.push(await curvatureAlong(measureProduct, drawOrthogonal(krylov, `trace/${seed}/${i}`), eps));
  return { ...slope, dimension: land.dimension, ...summarize(krylov.ritz, meanAndError(rest)) };
}

/** v'Hv at the distance of MeZO's perturbation. */
async function curvatureAlong(
  curvature: Landscape["curvature"],
  direction: Float32Array,
  eps: number,
): Promise<number> {
  return dot(direction, await curvature(direction, eps * Math.sqrt(direction.length)));
}

/** A direction of ±1, whose products have a smaller variance than a Gaussian one's, without its components along Lanczos' directions. */
function drawOrthogonal({ basis }: Krylov, seed: string): Float32Array {
  const random = seedrandom.alea(seed);
  const direction = new Float32Array(basis[0]!.length).map(() => (random() < 0.5 ? -1 : 1));
  removeAlong(direction, basis);
  return direction;
}

function summarize(ritz: readonly Ritz[], rest: Estimate): Omit<Spectrum, keyof Slope | "dimension"> {
  const sum = (of: (one: Ritz) => number): number => ritz.reduce((total, one) => total + of(one), 0);
  const trace = { mean: sum(({ value }) => value) + rest.mean, standardError: rest.standardError };
  const norm = Math.max(...ritz.map(({ value }) => Math.abs(value)));
  const alongGradient = sum(({ value, share }) => value * share);
  return { ritz, trace, norm, effectiveRank: trace.mean / norm, alongGradient };
}

function meanAndError(values: readonly number[]): Estimate {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / Math.max(1, values.length - 1) / values.length) };
}
