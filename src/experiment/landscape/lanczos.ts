import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { dot, norm } from "./landscape.ts";

/** A symmetric matrix by its products. */
export type Product = (direction: Float32Array) => Promise<Float32Array>;

/** An eigenvalue as Lanczos sees it, and the share of the starting direction's square that lies along its eigenvector; all shares add up to 1. */
export interface Ritz {
  readonly value: number;
  readonly share: number;
}

/** What Lanczos' method found: values, largest first, and the orthonormal directions that it went through. */
export interface Krylov {
  readonly ritz: readonly Ritz[];
  readonly basis: readonly Float32Array[];
}

/**
 * Lanczos' method from one direction, with every new direction made orthogonal to all before: `steps` products give as many Ritz values,
 * of which those at both ends come to the matrix' own first. It keeps a direction a step, and ends early where those reached are all there are.
 */
export async function lanczos(product: Product, start: Float32Array, steps: number): Promise<Krylov> {
  const basis = [scaled(start, 1 / norm(start))];
  const diagonal: number[] = [];
  const beside: number[] = [];
  for (let k = 0; k < steps; k++) {
    const next = await product(basis[k]!);
    diagonal.push(dot(basis[k]!, next));
    for (let pass = 0; pass < 2; pass++) removeAlong(next, basis);
    const length = norm(next);
    if (k + 1 === steps || length < 1e-6 * Math.max(...diagonal.map(Math.abs))) break;
    beside.push(length);
    basis.push(scaled(next, 1 / length));
  }
  return { ritz: ritzValues(diagonal, beside), basis };
}

function ritzValues(diagonal: readonly number[], beside: readonly number[]): Ritz[] {
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

function scaled(direction: Float32Array, by: number): Float32Array {
  return direction.map((value) => value * by);
}

/** Takes from a direction what lies along orthonormal ones, in place. */
export function removeAlong(direction: Float32Array, basis: readonly Float32Array[]): void {
  for (const known of basis) {
    const along = dot(known, direction);
    for (let i = 0; i < direction.length; i++) direction[i]! -= along * known[i]!;
  }
}
