/** The float32 number in the fewest decimal digits that are read back to it. */
export function shortest(value: number): number {
  for (let places = 1; places < 9; places++) {
    const short = Number(value.toPrecision(places));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
