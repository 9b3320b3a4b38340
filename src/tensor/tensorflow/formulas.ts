import { type DType, free, lasting, op, upload, type Value, within } from "./operations.ts";

/**
 * What an operation of TensorFlow's makes of others' results. Each runs by itself, so that every result is rounded by itself; one that is used
 * more than once runs once.
 */
export interface Formula {
  readonly dtype: DType;
  readonly inputs: readonly Formula[];
  readonly make: (inputs: readonly Value[]) => Value;
  /** Not to be freed. */
  readonly lasts?: true;
}

/** A formula whose values are given where it is used; they are not freed if they last. */
export const variable = (dtype: DType, lasts?: true): Formula => ({
  dtype,
  inputs: [],
  make: () => {
    throw new Error("A variable was given no value.");
  },
  ...(lasts && { lasts }),
});

/** The value of a formula, `given` what makes its variables' values. All others are freed as soon as nothing needs them any more. */
export function evaluate(formula: Formula, given: ReadonlyMap<Formula, () => Value>): Value {
  const values = new Map<Formula, Value>();
  const uses = new Map<Formula, number>();
  countUses(formula, uses);
  const find = (wanted: Formula): Value => {
    const known = values.get(wanted);
    if (known) return known;
    const inputs = wanted.inputs.map(find);
    const value = given.get(wanted)?.() ?? wanted.make(inputs);
    values.set(wanted, value);
    wanted.inputs.forEach((input, i) => {
      const left = uses.get(input)! - 1;
      uses.set(input, left);
      if (left === 0 && !input.lasts) free(inputs[i]!);
    });
    return value;
  };
  return within(() => find(formula));
}

function countUses({ inputs }: Formula, uses: Map<Formula, number>): void {
  for (const input of inputs) {
    if (!uses.has(input)) countUses(input, uses);
    uses.set(input, (uses.get(input) ?? 0) + 1);
  }
}

/** A formula, or a number of the kind of elements that it is used with. */
type Term = Formula | number;

const binary =
  (name: string) =>
  (a: Formula, b: Term): Formula => ({
    dtype: a.dtype,
    inputs: [a, typeof b === "number" ? numbers([b], [], a.dtype as "float32" | "uint32") : b],
    make: (inputs) => op(name, inputs),
  });

export const add: Operator = binary("AddV2");
export const subtract: Operator = binary("Sub");
export const multiply: Operator = binary("Mul");
export const minimum: Operator = binary("Minimum");
export const maximum: Operator = binary("Maximum");
export const and: Operator = binary("BitwiseAnd");
export const or: Operator = binary("BitwiseOr");
export const xor: Operator = binary("BitwiseXor");
export const shiftLeft: Operator = binary("LeftShift");
export const shiftRight: Operator = binary("RightShift");

/** Whether elements are less than a number. */
export const less = (a: Formula, most: number): Formula => ({ ...binary("Less")(a, most), dtype: "bool" });

/** An operation on two terms of one kind of elements, which broadcast. */
export type Operator = (a: Formula, b: Term) => Formula;

/** An operation that keeps the kind of elements. */
export const unary = (name: string, x: Formula): Formula => ({
  dtype: x.dtype,
  inputs: [x],
  make: (inputs) => op(name, inputs),
});

/** Numbers that never change. */
export const numbers = (values: readonly number[], shape: readonly number[], dtype: "float32" | "uint32"): Formula => ({
  dtype,
  inputs: [],
  lasts: true,
  make: () =>
    lasting(`${dtype} ${values} in ${shape}`, () =>
      dtype === "float32"
        ? upload(Float32Array.from(values), shape, dtype)
        : bitcast(
            upload(
              Int32Array.from(values, (value) => value | 0),
              shape,
              "int32",
            ),
            dtype,
          ),
    ),
});

const bitcast = (value: Value, to: DType): Value => op("Bitcast", [value], { type: { type: to } });

/** The numbers nearest to x in another kind of elements; of floats, those without what stands behind the point. */
export const cast = (x: Formula, to: DType): Formula => ({
  dtype: to,
  inputs: [x],
  make: (inputs) => op("Cast", inputs, { DstT: { type: to } }),
});

/** The same bits as another kind of elements of the same size. */
export const bits = (x: Formula, to: DType): Formula => ({
  dtype: to,
  inputs: [x],
  make: ([value]) => bitcast(value!, to),
});

/** Elements of `a` where a comparison holds, elsewhere those of `b`. */
export const select = (holds: Formula, a: Formula, b: Formula): Formula => ({
  dtype: a.dtype,
  inputs: [holds, a, b],
  make: (inputs) => op("SelectV2", inputs),
});

const whole = (...values: number[]): Value =>
  lasting(`int32 ${values}`, () => upload(Int32Array.from(values), [values.length], "int32"));

/** The same elements in another shape; -1 stands for the length that is left. */
export const reshape = (x: Formula, ...shape: number[]): Formula => ({
  dtype: x.dtype,
  inputs: [x],
  make: ([value]) => op("Reshape", [value!, whole(...shape)]),
});

/** The dimensions in another order. */
export const transpose = (x: Formula, ...order: number[]): Formula => ({
  dtype: x.dtype,
  inputs: [x],
  make: ([value]) => op("Transpose", [value!, whole(...order)]),
});

/** What stands at one place of the first dimension. */
export const at = (x: Formula, index: number): Formula => ({
  dtype: x.dtype,
  inputs: [x],
  make: ([value]) => op("StridedSlice", [value!, whole(index), whole(index + 1), whole(1)], { shrink_axis_mask: 1 }),
});

/** Formulas of one shape side by side along a new dimension. */
export const stack = (parts: readonly Formula[], dimension: number): Formula => ({
  dtype: parts[0]!.dtype,
  inputs: parts,
  make: (inputs) => op("Pack", inputs, { T: { type: inputs[0]!.dtype }, N: parts.length, axis: dimension }),
});
