import type { Distribution } from "../noise/key.ts";
import { ANGLE, COSINE, LN2_HIGH, LN2_LOW, LOG, SINE, SQRT_HALF_BITS } from "../noise/plain.ts";

/**
 * WGSL lets a compiler fuse a product with a sum and reorder sums. Every result is therefore exclusive-ored with a uniform that is 0,
 * which no compiler can look through: each operation is rounded by itself, and the bits are those of noise/plain.ts.
 */
const EXACT = `
fn held(a : f32) -> f32 { return bitcast<f32>(bitcast<u32>(a) ^ uniforms.zero); }
fn times(a : f32, b : f32) -> f32 { return held(a * b); }
fn plus(a : f32, b : f32) -> f32 { return held(a + b); }
fn update(at : i32, z : f32) {
  if (at < uniforms.size) { result[at] = plus(times(result[at], uniforms.keep), times(uniforms.scale, z)); }
}`;

/** Philox4x32-10 of the counter (block, 0, stream, 0): noise/key.ts in WGSL, which has no wide product either. */
const PHILOX = `
fn highPart(a : u32, b : u32) -> u32 {
  let low = vec2<u32>(a & 0xffffu, b & 0xffffu);
  let high = vec2<u32>(a >> 16u, b >> 16u);
  let carry = high.x * low.y + ((low.x * low.y) >> 16u);
  let middle = low.x * high.y + (carry & 0xffffu);
  return high.x * high.y + (carry >> 16u) + (middle >> 16u);
}
fn blockWords(block : u32) -> vec4<u32> {
  var c = vec4<u32>(block, 0u, uniforms.stream, 0u);
  for (var round = 0u; round < 10u; round++) {
    let key = vec2<u32>(uniforms.k0 + round * 0x9e3779b9u, uniforms.k1 + round * 0xbb67ae85u);
    c = vec4<u32>(
      highPart(c.z, 0xcd9e8d57u) ^ c.y ^ key.x, c.z * 0xcd9e8d57u,
      highPart(c.x, 0xd2511f53u) ^ c.w ^ key.y, c.x * 0xd2511f53u);
  }
  return c;
}`;

const f32 = (value: number): string => `f32(${value})`;

/** Statements that evaluate a polynomial, highest power first, into a new variable. */
function horner(name: string, [first, ...rest]: readonly number[], x: string): string {
  const steps = rest.map((c) => `${name} = plus(times(${name}, ${x}), ${f32(c)});`);
  return `var ${name} = ${f32(first!)}; ${steps.join(" ")}`;
}

/**
 * WGSL's sqrt may be a few units off in the last place; from there integers find the rounded one. With x = m 2^(e - 23) and r the
 * root's 24 bits, r is right where r² - r < m 2^(23 or 24) <= r² + r, whose difference fits 32 bits.
 */
const ROOT = `
fn root(x : f32) -> f32 {
  let bits = bitcast<u32>(x);
  let e = i32(bits >> 23u) - 127;
  let odd = u32(e & 1);
  let halved = (e - i32(odd)) / 2;
  let square = ((bits & 0x7fffffu) | 0x800000u) << (23u + odd);
  var r = i32(sqrt(x) * bitcast<f32>(u32(150 - halved) << 23u));
  for (var i = 0; i < 16; i++) {
    let over = bitcast<i32>(square - u32(r) * u32(r));
    if (over > r) { r++; } else if (over <= -r) { r--; } else { break; }
  }
  return bitcast<f32>((u32(halved + 127) << 23u) | (u32(r) & 0x7fffffu));
}`;

/** noise/plain.ts in WGSL: two normals of two words. */
const BOX_MULLER = `${ROOT}
fn radius(x : u32) -> f32 {
  let u = times(plus(f32(x >> 9u), 0.5), ${f32(2 ** -23)});
  let d = bitcast<i32>(u) - ${SQRT_HALF_BITS};
  let e = f32(d >> 23u);
  let f = plus(bitcast<f32>((d & 0x7fffff) + ${SQRT_HALF_BITS}), -1.0);
  let f2 = times(f, f);
  ${horner("p", LOG, "f")}
  p = times(times(p, f), f2);
  p = plus(p, times(e, ${f32(LN2_LOW)}));
  p = plus(p, -times(0.5, f2));
  return root(times(-2.0, plus(plus(f, p), times(e, ${f32(LN2_HIGH)}))));
}
fn boxMuller(x : u32, y : u32) -> vec2<f32> {
  let r = radius(x);
  let t = i32(y >> 8u);
  let quadrant = (t + 2097152) >> 22u;
  let a = times(f32(t - (quadrant << 22u)), ${f32(ANGLE)});
  let a2 = times(a, a);
  ${horner("s", SINE, "a2")}
  s = plus(times(times(s, a2), a), a);
  ${horner("c", COSINE, "a2")}
  c = plus(plus(times(times(c, a2), a2), -times(0.5, a2)), 1.0);
  let turned = (quadrant & 1) == 1;
  let cosine = select(c, s, turned) * select(1.0, -1.0, ((quadrant + 1) & 2) != 0);
  let sine = select(s, c, turned) * select(1.0, -1.0, (quadrant & 2) != 0);
  return vec2<f32>(times(r, cosine), times(r, sine));
}`;

/** An invocation makes one block: element 64 g + 16 k + lane is normal k of block 16 g + lane. */
const GAUSSIAN = `${EXACT}${PHILOX}${BOX_MULLER}
fn main(index : i32) {
  let at = index / 16 * 64 + index % 16;
  if (at >= uniforms.size) { return; }
  let words = blockWords(u32(index));
  let first = boxMuller(words.x, words.y);
  let second = boxMuller(words.z, words.w);
  update(at, first.x);
  update(at + 16, first.y);
  update(at + 32, second.x);
  update(at + 48, second.y);
}`;

/** An invocation makes one block: element 2048 g + 512 k + 16 j + lane has bit 31 - j of word k of block 16 g + lane as its sign. */
const RADEMACHER = `${EXACT}${PHILOX}
fn main(index : i32) {
  let first = index / 16 * 2048 + index % 16;
  if (first >= uniforms.size) { return; }
  let words = blockWords(u32(index));
  for (var k = 0; k < 4; k++) {
    for (var j = 0; j < 32; j++) {
      let negative = ((words[k] << u32(j)) & 0x80000000u) != 0u;
      update(first + 512 * k + 16 * j, select(1.0, -1.0, negative));
    }
  }
}`;

const LAWS: Readonly<Record<Distribution, { code: string; group: number }>> = {
  gaussian: { code: GAUSSIAN, group: 64 },
  rademacher: { code: RADEMACHER, group: 2048 },
};

const LANES = 16;
const WORKGROUP = 64;

/** A program as TensorFlow.js's WebGPU backend runs them. */
export interface Program {
  readonly variableNames: string[];
  readonly outputShape: number[];
  readonly uniforms: string;
  readonly size: boolean;
  readonly shaderKey: string;
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout: { x: number[] };
  readonly dispatch: [number, number, number];
  readonly getUserCode: () => string;
}

/** A program that adds z of the law to the values of its own output, [shape]; its uniforms are those of `Uniforms`. */
export function noiseProgram(shape: readonly number[], law: Distribution): Program {
  const { code, group } = LAWS[law];
  const blocks = Math.ceil(shape.reduce((a, b) => a * b, 1) / group) * LANES;
  return {
    variableNames: [],
    outputShape: [...shape],
    uniforms: "k0 : u32, k1 : u32, stream : u32, zero : u32, scale : f32, keep : f32,",
    size: true,
    shaderKey: `mezo-${law}`,
    workgroupSize: [WORKGROUP, 1, 1],
    dispatchLayout: { x: shape.map((_, axis) => axis) },
    dispatch: [Math.ceil(blocks / WORKGROUP), 1, 1],
    getUserCode: () => code,
  };
}
