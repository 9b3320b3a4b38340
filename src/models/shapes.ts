/** Weight and bias of a projection, or its weight alone, under its checkpoint name: [out, from]. */
export function denseShapes(name: string, out: number, from: number, bias = true): Record<string, number[]> {
  return { [`${name}.weight`]: [out, from], ...(bias && { [`${name}.bias`]: [out] }) };
}

/** Gain and shift of a layer normalization. */
export function normShapes(name: string, width: number): Record<string, number[]> {
  return { [`${name}.weight`]: [width], [`${name}.bias`]: [width] };
}

/** The shapes under names that begin with `at`. */
export function under(at: string, shapes: Readonly<Record<string, readonly number[]>>): [string, readonly number[]][] {
  return Object.entries(shapes).map(([name, shape]) => [`${at}.${name}`, shape]);
}
