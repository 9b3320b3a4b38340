/** An argument of a C function: a number, or memory of this process, which the function sees where it is. */
export type Argument = number | bigint | null | ArrayBufferView;

/** A C function that returns a number. */
export type CFunction = (...args: readonly Argument[]) => number;

const isIn =
  (from: number, to: number) =>
  (value: Argument | undefined): boolean =>
    Number.isInteger(value) && Number(value) >= from && Number(value) <= to;

const isView =
  (...kinds: readonly string[]) =>
  (value: Argument | undefined): boolean =>
    value === null || kinds.includes(Object.prototype.toString.call(value).slice("[object ".length, -1));

const WORDS = ["Uint32Array", "Int32Array"];

/** What may be passed for each type of a parameter. */
const PASSES: Readonly<Record<string, (value: Argument | undefined) => boolean>> = {
  int: isIn(-(2 ** 31), 2 ** 31 - 1),
  uint32_t: isIn(0, 2 ** 32 - 1),
  int64_t: (value) => Number.isSafeInteger(value) || typeof value === "bigint",
  float: (value) => typeof value === "number",
  double: (value) => typeof value === "number",
  "float *": isView("Float32Array"),
  "double *": isView("Float64Array"),
  "uint16_t *": isView("Uint16Array"),
  "int32_t *": isView(...WORDS),
  "uint32_t *": isView(...WORDS),
  "int64_t *": isView("BigInt64Array", "BigUint64Array"),
  "void *": (value) => value === null || ArrayBuffer.isView(value),
};

/**
 * A C function that throws where an argument is not what its signature has. Without, any memory is taken for any pointer and 1.5 for a whole
 * number, and what is missing is taken from wherever it would lie.
 */
export function withChecks(signature: string, run: CFunction): CFunction {
  const types = parameterTypes(signature);
  return (...args) => {
    if (args.length !== types.length) throw new Error(`${signature}: ${args.length} arguments`);
    const wrong = types.findIndex((type, i) => !PASSES[type]!(args[i]));
    if (wrong >= 0) throw new Error(`${signature}: argument ${wrong + 1} is no ${types[wrong]}`);
    return run(...args);
  };
}

/** "int mezo_scale(const float *x, int n)" has "float *" and "int". */
function parameterTypes(signature: string): string[] {
  const [, inside] = /\(([^)]*)\)/.exec(signature)!;
  const types = inside!.split(",").map((text) => {
    const [, word, star] = /^(?:const )?(\w+)\s*(\*?)/.exec(text.trim())!;
    return star ? `${word} *` : word!;
  });
  const unknown = types.find((type) => !(type in PASSES));
  if (unknown) throw new Error(`${signature}: no argument is known for ${unknown}`);
  return types;
}
