/** Invocations of a workgroup that goes through a row together, or has elements side by side. */
export const LANES = 64;

/** Declares a shader's buffers in order, each with the type of its elements. */
export function declare(reads: Readonly<Record<string, string>>, writes: Readonly<Record<string, string>>): string {
  const buffers = [
    ...Object.entries(reads).map(([name, type]) => `var<storage, read> ${name} : array<${type}>;`),
    ...Object.entries(writes).map(([name, type]) => `var<storage, read_write> ${name} : array<${type}>;`),
  ];
  return buffers.map((variable, i) => `@group(0) @binding(${i}) ${variable}`).join("\n");
}

/** The entry of a shader: its body knows the workgroup's `unit` of those that `flatGroups` shares out, and the invocation's `lane`. */
export const main = (body: string, lanes: number = LANES): string => `
@compute @workgroup_size(${lanes}) fn main(
  @builtin(local_invocation_index) lane : u32,
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(num_workgroups) groups : vec3<u32>,
) {
  let unit = group.y * groups.x + group.x;
  ${body}
}`;

/** WGSL: the sum of the lanes' numbers, in one order always and the same in every lane. */
export const TOTAL: string = `
var<workgroup> parts : array<f32, ${LANES}>;
fn total(own : f32, lane : u32) -> f32 {
  workgroupBarrier();
  parts[lane] = own;
  workgroupBarrier();
  var sums = vec4<f32>();
  for (var i = 0u; i < ${LANES}u; i += 4u) {
    sums += vec4<f32>(parts[i], parts[i + 1u], parts[i + 2u], parts[i + 3u]);
  }
  return (sums.x + sums.y) + (sums.z + sums.w);
}`;

/** Columns of a workgroup that sums rows, and invocations that share out the rows of each. */
export const SUM_COLUMNS = 16;
const SHARES = 16;

/**
 * The entry of a shader that sums over params.rows rows, params.width wide: a workgroup has SUM_COLUMNS columns. `value` gives in WGSL what is
 * summed, of a type, at index `at` of a row; `write` writes the sum `own` of a column.
 */
export const sumRowsMain = (type: string, value: string, write: string): string => `
var<workgroup> shares : array<${type}, ${SUM_COLUMNS * SHARES}>;
${main(
  `
  let column = unit * ${SUM_COLUMNS}u + lane % ${SUM_COLUMNS}u;
  var own = ${type}();
  for (var row = lane / ${SUM_COLUMNS}u; row < params.rows && column < params.width; row += ${SHARES}u) {
    let at = row * params.width + column;
    own += ${value};
  }
  shares[lane] = own;
  workgroupBarrier();
  if (lane >= ${SUM_COLUMNS}u || column >= params.width) { return; }
  for (var i = 1u; i < ${SHARES}u; i++) { own += shares[lane + i * ${SUM_COLUMNS}u]; }
  ${write}`,
  SUM_COLUMNS * SHARES,
)}`;
