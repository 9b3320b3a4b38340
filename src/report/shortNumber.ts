/** A number in at most two digits, small ones as powers of ten: "0.0012", "43", "1e-4". */
export function short(value: number): string {
  return exact(Number(value.toPrecision(2)));
}

/** A number with all its digits, small ones as powers of ten. */
export function exact(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
}
