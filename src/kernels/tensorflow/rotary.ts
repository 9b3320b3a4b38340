import { op, tensorflowKernel, upload, type Value } from "../../tensor/tensorflow/operations.ts";
import type { Angles } from "../rotary.ts";
import { addSame, elementwise, reshape } from "./arithmetic.ts";
import { keptFor } from "./kept.ts";

// A head (a, b) becomes (a cos − b sin, b cos + a sin): itself times (cos, cos), and its halves exchanged times (−sin, sin).

tensorflowKernel("Rotary", ({ inputs, attrs }) => {
  const x = inputs.x!;
  const angles = attrs.angles as Angles;
  const [cos, sin] = keptFor(angles, () => bothHalves(angles, x.shape[0]!));
  const heads = reshape(x, x.shape[0]!, -1, 2 * angles.pairs);
  const exchanged = roll(heads, angles.pairs);
  return reshape(addSame(elementwise("Mul", heads, cos!), elementwise("Mul", exchanged, sin!)), ...x.shape);
});

/** Factors of a head's elements, and of the exchanged ones: [rows, 1, width of a head]. */
function bothHalves({ cos, sin, pairs }: Angles, rows: number): Value[] {
  const [same, other] = [new Float32Array(2 * cos.length), new Float32Array(2 * cos.length)];
  for (let at = 0; at < cos.length; at += pairs) {
    const [c, s] = [cos.subarray(at, at + pairs), sin.subarray(at, at + pairs)];
    same.set(c, 2 * at);
    same.set(c, 2 * at + pairs);
    other.set(
      s.map((v) => -v),
      2 * at,
    );
    other.set(s, 2 * at + pairs);
  }
  return [same, other].map((values) => upload(values, [rows, 1, 2 * pairs], "float32"));
}

/** Each row's elements moved on, the last ones to its beginning. */
const roll = (x: Value, by: number): Value =>
  op("Roll", [x, upload(Int32Array.of(by), [], "int32"), upload(Int32Array.of(x.shape.length - 1), [], "int32")], {
    T: { type: x.dtype },
    Tshift: { type: "int32" },
    Taxis: { type: "int32" },
  });
