/** y = factor · x ^ slope, as a straight line through the logarithms, and the share of their variance that it explains. */
export interface PowerFit {
  readonly slope: number;
  readonly factor: number;
  /** R²; 1 where all y are equal, which a slope of 0 explains. */
  readonly explained: number;
}

/** Fits a power of x to positive values by least squares of their logarithms; undefined for fewer than two different x. */
export function fitPower(points: readonly (readonly [x: number, y: number])[]): PowerFit | undefined {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [middleX, middleY] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))];
  const sum = (of: (dx: number, dy: number) => number): number =>
    logs.reduce((total, [x, y]) => total + of(x - middleX, y - middleY), 0);
  const [xx, xy, yy] = [sum((dx) => dx * dx), sum((dx, dy) => dx * dy), sum((_, dy) => dy * dy)];
  if (!(xx > 0)) return undefined;
  const slope = xy / xx;
  return { slope, factor: Math.exp(middleY - slope * middleX), explained: yy > 0 ? (xy * xy) / (xx * yy) : 1 };
}
