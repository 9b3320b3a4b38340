import type { StoredTensor } from "./safetensors.ts";

/** A matrix that is stored as [columns, rows], seen as [rows, columns]. It is read whole, and kept until its last number was asked for. */
export function transposeStored(stored: StoredTensor): StoredTensor {
  const [columns, rows] = stored.shape as [number, number];
  let whole: Float32Array | undefined;
  return {
    ...stored,
    shape: [rows, columns],
    read: (into, from = 0) => {
      if (!whole) {
        const found = new Float32Array(rows * columns);
        stored.read(found);
        whole = found;
      }
      for (let i = 0; i < into.length; i++) {
        const at = from + i;
        into[i] = whole[(at % columns) * rows + Math.floor(at / columns)]!;
      }
      if (from + into.length === whole.length) whole = undefined;
    },
  };
}

/** The values of a matrix [rows, columns], row by row, as those of [columns, rows]. */
export function transposeValues(values: Float32Array, [rows, columns]: readonly [number, number]): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  return turned;
}
