import { describe, expect, test } from "vitest";
import { minimize } from "../../src/experiment/lbfgs.ts";
import {
  computeGram,
  FOLDS,
  fitLogistic,
  fitLogisticCV,
  type LabelledRows,
  logisticObjective,
  logisticPrecondition,
  STRENGTHS,
  stratifiedFolds,
} from "../../src/experiment/logistic.ts";

// The optima and chosen C below are those of scikit-learn 1.2.2 (multi_class="multinomial"; single fits by newton-cg, tol 1e-10,
// since its L-BFGS stops sooner), on rows drawn once and rounded to two digits.
const TWO = {
  rows: [
    [2.3, 0.8, 2.77],
    [1.99, 2.24, -2.0],
    [-1.3, 1.18, 2.02],
    [0.87, 3.12, -0.77],
    [1.82, 0.18, 2.82],
    [3.53, 0.59, 1.43],
    [0.7, -1.98, 0.56],
    [2.43, 3.34, 0.47],
    [1.3, 0.04, -0.28],
    [0.54, -0.18, 1.36],
    [1.63, 1.34, -2.48],
    [2.7, -1.54, 0.72],
    [0.69, 0.86, 0.37],
    [0.82, 1.83, -0.46],
    [2.32, 2.23, -1.74],
    [1.81, 1.06, -1.41],
    [1.27, -0.2, -0.76],
    [1.28, -1.56, 1.53],
    [1.15, 1.93, -0.1],
    [1.92, 1.77, -0.5],
  ],
  labels: [0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0],
};
const THREE = {
  rows: [
    [-1.44, 1.24, -2.57],
    [-4.1, -1.57, -0.73],
    [0.05, 2.58, -0.32],
    [0.1, -1.54, -1.47],
    [0.47, -1.27, -1.33],
    [0.71, -2.7, -1.97],
    [-0.72, -0.85, -2.52],
    [-1.15, 0.23, 1.04],
    [-0.29, -0.99, 0.38],
    [0.37, -0.58, -1.58],
    [-0.71, 0.58, -0.85],
    [0.24, -3.23, -2.11],
    [-1.79, 0.73, -1.07],
    [1.2, 1.68, 0.06],
    [1.23, -0.19, -0.23],
    [0.4, 0.17, -1.67],
    [0.73, -1.51, -1.69],
    [-1.41, 1.95, 0.38],
    [0.36, -0.61, -0.55],
    [0.8, -0.15, -0.12],
    [1.44, 0.85, 1.99],
    [-1.47, 3.07, 1.54],
    [-0.69, -0.76, -0.55],
    [-1.23, 0.67, -1.71],
    [-1.72, -0.28, 0.0],
    [-1.88, -3.76, -0.74],
    [-0.32, 0.47, 1.34],
    [-0.62, 0.4, -0.88],
    [-0.01, 0.69, 1.63],
    [-1.3, -0.97, 0.79],
  ],
  labels: [0, 2, 2, 0, 0, 0, 1, 2, 0, 0, 1, 0, 2, 1, 1, 1, 0, 0, 0, 1, 1, 2, 1, 0, 0, 1, 2, 1, 1, 1],
};
const STOP = { tolerance: 1e-6, maxIterations: 5000 };

const two: LabelledRows = {
  rows: Float64Array.from(TWO.rows.flat()),
  width: 3,
  labels: TWO.labels,
  classes: 2,
  intercept: false,
};
const three: LabelledRows = {
  rows: Float64Array.from(THREE.rows.flatMap((row) => [...row, 1])),
  width: 4,
  labels: THREE.labels,
  classes: 3,
  intercept: true,
};
const zeros = ({ classes, width }: LabelledRows): Float64Array => new Float64Array(classes * width);

function expectClose(actual: Iterable<number>, expected: readonly number[], digits = 5): void {
  const values = [...actual];
  expect(values).toHaveLength(expected.length);
  expected.forEach((v, i) => expect(values[i]).toBeCloseTo(v, digits));
}

describe("a logistic fit", () => {
  test.each([
    { C: 0.1, c: [-0.054752, 0.109745, -0.279741] },
    { C: 10, c: [-0.108435, 0.139731, -0.532178] },
  ])("of two classes is scikit-learn's, in two opposite rows, at C = $C", ({ C, c }) => {
    const fit = fitLogistic(two, C, zeros(two), STOP);
    expect(fit.gradient).toBeLessThanOrEqual(STOP.tolerance);
    expectClose(fit.x, [...c.map((v) => -v), ...c]);
  });

  test.each([
    {
      C: 0.1,
      w: [
        0.120412, -0.164121, -0.295294, 0.137865, 0.203813, -0.073242, 0.094388, 0.450959, -0.324225, 0.237363,
        0.200906, -0.588824,
      ],
    },
    {
      C: 10,
      w: [
        0.48479, -0.429772, -0.697788, 0.422529, 0.593999, -0.333703, 0.0153, 1.026859, -1.078789, 0.763474, 0.682488,
        -1.449388,
      ],
    },
  ])("of three classes with intercepts is scikit-learn's at C = $C, preconditioned or not", ({ C, w }) => {
    const start = zeros(three);
    const precondition = logisticPrecondition(three, computeGram(three), { C, w: start });
    for (const fit of [fitLogistic(three, C, start, STOP), fitLogistic(three, C, start, STOP, precondition)]) {
      expect(fit.gradient).toBeLessThanOrEqual(STOP.tolerance);
      expectClose(fit.x, w);
    }
  });

  test("follows the gradient of its objective", () => {
    const f = logisticObjective(three, 0.7);
    const at = Float64Array.from({ length: 12 }, (_, i) => Math.sin(i));
    const gradient = new Float64Array(12);
    f(at, gradient);
    const waste = new Float64Array(12);
    gradient.forEach((v, j) => {
      const [more, less] = [1e-5, -1e-5].map((h) =>
        f(
          at.map((x, i) => (i === j ? x + h : x)),
          waste,
        ),
      );
      expect(v).toBeCloseTo((more! - less!) / 2e-5, 6);
    });
  });

  test("takes few steps on features that lie unevenly where it is preconditioned", () => {
    const scaled = { ...three, rows: three.rows.map((v, i) => v * [100, 1, 0.01, 1][i % 4]!) };
    const start = zeros(scaled);
    const precondition = logisticPrecondition(scaled, computeGram(scaled), { C: 1e4, w: start });
    const stop = { tolerance: 1e-4, maxIterations: 5000 }; // as a probe's
    const plain = fitLogistic(scaled, 1e4, start, stop);
    const fast = fitLogistic(scaled, 1e4, start, stop, precondition);
    expect(fast.gradient).toBeLessThanOrEqual(stop.tolerance);
    expect(fast.iterations).toBeLessThan(plain.iterations / 2);
    expect(fast.value).toBeLessThanOrEqual(plain.value + 1e-9);
  });
});

describe("minimize", () => {
  test("finds the valley's end of Rosenbrock's function, and stops when it is told to", () => {
    const rosenbrock = (x: Float64Array, gradient: Float64Array): number => {
      const [a, b] = [1 - x[0]!, x[1]! - x[0]! ** 2];
      gradient.set([-2 * a - 400 * x[0]! * b, 200 * b]);
      return a ** 2 + 100 * b ** 2;
    };
    const start = Float64Array.of(-1.2, 1);
    expectClose(minimize(rosenbrock, start, { tolerance: 1e-9, maxIterations: 200 }).x, [1, 1], 6);
    expect(minimize(rosenbrock, start, { tolerance: 0, maxIterations: 3 }).iterations).toBe(3);
    expect([...start]).toEqual([-1.2, 1]);
  });
});

describe("cross-validation", () => {
  test("deals the folds as scikit-learn's StratifiedKFold does", () => {
    expect(stratifiedFolds(TWO.labels)).toEqual([0, 0, 0, 0, 1, 1, 2, 1, 2, 1, 2, 3, 3, 2, 3, 3, 4, 4, 4, 4]);
    const labels = [2, 0, 0, 1, 2, 2, 1, 0, 2, 1, 1, 1, 2, 0, 2, 2, 1, 0, 0, 2, 1, 2, 2];
    expect(stratifiedFolds(labels)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 3, 4, 4, 4]);
  });

  test("chooses scikit-learn's C, by its accuracies, and fits all rows with it", async () => {
    const told: number[] = [];
    const fit = await fitLogisticCV(three, STOP, (done, total) => told.push(done / total));
    const right = [11, 11, 11, 15, 16, 16, 16, 16, 16, 16]; // of 30
    expectClose(
      fit.accuracies,
      right.map((n) => n / 30),
      9,
    );
    expect(fit.C).toBe(STRENGTHS[4]);
    expect(fit.C).toBeCloseTo(0.3593813663804626, 12);
    expect(told).toHaveLength(FOLDS * STRENGTHS.length + 1);
    expect(told.at(-1)).toBe(1);
    const w = [
      0.23237, -0.23764, -0.46178, 0.17277, 0.34215, -0.15011, 0.10996, 0.6408, -0.57452, 0.38774, 0.35182, -0.81357,
    ];
    expectClose(fit.x, w, 3);
  });

  test("takes the strongest penalty of equals", async () => {
    const fit = await fitLogisticCV(two, STOP);
    expectClose(fit.accuracies, [0.8, 0.8, 0.8, 0.8, 0.75, 0.7, 0.7, 0.7, 0.7, 0.7], 9);
    expect(fit.C).toBe(STRENGTHS[0]);
  });
});
