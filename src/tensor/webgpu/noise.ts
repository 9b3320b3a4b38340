import type { Distribution, NoiseKey } from "../noise/key.ts";
import { ANGLE, COSINE, LN2_HIGH, LN2_LOW, LOG, SINE, SQRT_HALF_BITS } from "../noise/plain.ts";
import type { HalfFormat, HalfKind } from "../source.ts";
import { flatGroups, type Param, type Shader } from "./dispatch.ts";
import { roundPair, unpackPair } from "./halves.ts";

/**
 * WGSL lets a compiler fuse a product with a sum and reorder sums. Every result is therefore exclusive-ored with a parameter that is 0,
 * which no compiler can look through: each operation is rounded by itself, and the bits are those of noise/plain.ts.
 */
const EXACT = `
fn held(a : f32) -> f32 { return bitcast<f32>(bitcast<u32>(a) ^ params.zero); }
fn times(a : f32, b : f32) -> f32 { return held(a * b); }
fn plus(a : f32, b : f32) -> f32 { return held(a + b); }
fn times2(a : vec2<f32>, b : f32) -> vec2<f32> { return vec2(times(a.x, b), times(a.y, b)); }
fn plus2(a : vec2<f32>, b : vec2<f32>) -> vec2<f32> { return vec2(plus(a.x, b.x), plus(a.y, b.y)); }`;

/**
 * Philox4x32-10 of the counter (block, use, stream, 0): noise/key.ts in WGSL, which has no wide product either. Its words are chosen, not
 * indexed by a variable, which would put them in memory.
 */
const PHILOX = `
fn highPart(a : u32, b : u32) -> u32 {
  let low = vec2<u32>(a & 0xffffu, b & 0xffffu);
  let high = vec2<u32>(a >> 16u, b >> 16u);
  let carry = high.x * low.y + ((low.x * low.y) >> 16u);
  let middle = low.x * high.y + (carry & 0xffffu);
  return high.x * high.y + (carry >> 16u) + (middle >> 16u);
}
fn blockWords(block : u32, usage : u32) -> vec4<u32> {
  var c = vec4<u32>(block, usage, params.stream, 0u);
  for (var round = 0u; round < 10u; round++) {
    let key = vec2<u32>(params.k0 + round * 0x9e3779b9u, params.k1 + round * 0xbb67ae85u);
    c = vec4<u32>(
      highPart(c.z, 0xcd9e8d57u) ^ c.y ^ key.x, c.z * 0xcd9e8d57u,
      highPart(c.x, 0xd2511f53u) ^ c.w ^ key.y, c.x * 0xd2511f53u);
  }
  return c;
}
fn wordOf(words : vec4<u32>, k : u32) -> u32 {
  let two = select(words.xy, words.zw, k >= 2u);
  return select(two.x, two.y, (k & 1u) == 1u);
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

/**
 * The 16 random bits by which both elements of a pair are rounded, in the layout of tensor/halves.ts: place p of a group of 128 has half
 * p % 2 of word p / 2.
 */
const DRAWS = `
var<private> leftDraws : vec4<u32>;
var<private> rightDraws : vec4<u32>;
fn beginGroup(group : u32, pair : u32) {
  leftDraws = blockWords(16u * group + 2u * pair, 1u);
  rightDraws = blockWords(16u * group + 2u * pair + 1u, 1u);
}
fn shares(place : u32) -> vec2<u32> {
  let words = vec2(wordOf(leftDraws, place >> 1u), wordOf(rightDraws, place >> 1u));
  return (words >> vec2(16u * (place & 1u))) & vec2(0xffffu);
}`;

const NO_DRAWS = `
fn beginGroup(group : u32, pair : u32) {}
fn shares(place : u32) -> vec2<u32> { return vec2(0u); }`;

const MAIN = `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>, @builtin(local_invocation_index) lane : u32) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  let pair = index & 7u;`;

/**
 * An invocation changes 16 elements of a group of 128, in pairs, so that it alone writes to a word of two 16-bit numbers. Element
 * 64 g + 16 k + lane is normal k of block 16 g + lane; `change` gets the pair's first element, its z, and the pair's place among the 8.
 */
const GAUSSIAN = `${BOX_MULLER}
fn normals(block : u32) -> vec4<f32> {
  let words = blockWords(block, 0u);
  return vec4(boxMuller(words.x, words.y), boxMuller(words.z, words.w));
}
${MAIN}
  let first = (index >> 3u) * 128u + 2u * pair;
  if (first >= params.size) { return; }
  beginGroup(index >> 3u, pair);
  for (var half = 0u; half < 2u; half++) {
    let block = (index >> 3u) * 32u + 16u * half + 2u * pair;
    let left = normals(block);
    let right = normals(block + 1u);
    let at = first + 64u * half;
    let place = 4u * half;
    ${["x", "y", "z", "w"].map((k, i) => `change(at + ${16 * i}u, inMask(at + ${16 * i}u, vec2(left.${k}, right.${k})), place + ${i}u);`).join("\n    ")}
  }
}`;

/** An invocation changes 64 elements: element 2048 g + 512 k + 16 j + lane has bit 31 - j of word k of block 16 g + lane as its sign. */
const RADEMACHER = `
${MAIN}
  let k = (index >> 3u) & 3u;
  let group2048 = index >> 5u;
  let first = 2048u * group2048 + 512u * k + 2u * pair;
  if (first >= params.size) { return; }
  let block = 16u * group2048 + 2u * pair;
  let words = vec2(wordOf(blockWords(block, 0u), k), wordOf(blockWords(block + 1u, 0u), k));
  for (var j = 0u; j < 32u; j++) {
    if ((j & 7u) == 0u) { beginGroup((first + 16u * j) >> 7u, pair); }
    let negative = ((words << vec2(j)) & vec2(0x80000000u)) != vec2(0u);
    let at = first + 16u * j;
    change(at, inMask(at, select(vec2(1.0), vec2(-1.0), negative)), j & 7u);
  }
}`;

const LAWS: Readonly<Record<Distribution, { code: string; group: number; invocations: number }>> = {
  gaussian: { code: GAUSSIAN, group: 128, invocations: 8 },
  rademacher: { code: RADEMACHER, group: 2048, invocations: 32 },
};

/** Workgroups that make z of the law for so many elements. */
export function noiseGroups(law: Distribution, size: number): [number, number] {
  const { group, invocations } = LAWS[law];
  return flatGroups(Math.ceil((Math.ceil(size / group) * invocations) / 64));
}

/** The parameters of the shaders below. */
export function noiseParams(
  { k0, k1, stream }: NoiseKey,
  size: number,
  scale: number,
  keep: number,
): Record<string, Param> {
  const integers = Object.entries({ k0, k1, stream, zero: 0, size }).map(([name, u32]) => [name, { u32 }] as const);
  return { ...Object.fromEntries(integers), scale: { f32: scale }, keep: { f32: keep } };
}

const FLOAT_MOVE = `
@group(0) @binding(0) var<storage, read_write> theta : array<f32>;
fn moved(value : f32, z : f32) -> f32 { return plus(times(value, params.keep), times(params.scale, z)); }
fn change(at : u32, z : vec2<f32>, place : u32) {
  if (at < params.size) { theta[at] = moved(theta[at], z.x); }
  if (at + 1u < params.size) { theta[at + 1u] = moved(theta[at + 1u], z.y); }
}`;

const halfMove = (kind: HalfKind): string => `
@group(0) @binding(0) var<storage, read_write> theta : array<u32>;
${unpackPair(kind.format)}
${roundPair(kind)}
fn change(at : u32, z : vec2<f32>, place : u32) {
  if (at >= params.size) { return; }
  let value = plus2(times2(unpack(theta[at >> 1u]), params.keep), times2(z, params.scale));
  theta[at >> 1u] = roundPair(value, shares(place));
}`;

/** A pair's z, and 0 where it is outside of a mask that is bound there; without a mask all of it. */
const maskAt = (binding?: number): string =>
  binding === undefined
    ? `
fn inMask(at : u32, z : vec2<f32>) -> vec2<f32> { return z; }`
    : `
@group(0) @binding(${binding}) var<storage, read> mask : array<u32>;
fn inMask(at : u32, z : vec2<f32>) -> vec2<f32> {
  let bits = vec2(mask[at >> 5u]) >> vec2(at & 31u, (at & 31u) + 1u);
  return select(vec2(0.0), z, (bits & vec2(1u)) != vec2(0u));
}`;

/** theta = keep · theta + scale · z, in place, on weights of a format; those of 16 bits are rounded as their kind says. A mask is bound behind theta. */
export function moveShader(law: Distribution, isMasked: boolean, kind?: HalfKind): Shader {
  const draws = kind?.rounding === "stochastic" ? DRAWS : NO_DRAWS;
  return {
    name: `move ${law}${isMasked ? " masked" : ""} ${kind ? `${kind.format} ${kind.rounding}` : "float32"}`,
    code: `${EXACT}${PHILOX}${draws}${kind ? halfMove(kind) : FLOAT_MOVE}${maskAt(isMasked ? 1 : undefined)}${LAWS[law].code}`,
  };
}

/** theta = theta + scale · other, in float32 and in place: an invocation an element. */
export const ADD_SCALED: Shader = {
  name: "add scaled",
  code: `${EXACT}
@group(0) @binding(0) var<storage, read_write> theta : array<f32>;
@group(0) @binding(1) var<storage, read> other : array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(num_workgroups) groups : vec3<u32>, @builtin(local_invocation_index) lane : u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < params.size) { theta[i] = plus(theta[i], times(params.scale, other[i])); }
}`,
};

const FLOAT_PAIR = `
@group(0) @binding(0) var<storage, read> theta : array<f32>;
fn thetaPair(at : u32) -> vec2<f32> { return vec2(theta[at], theta[min(at + 1u, params.size - 1u)]); }`;

const halfPair = (format: HalfFormat): string => `
@group(0) @binding(0) var<storage, read> theta : array<u32>;
${unpackPair(format)}
fn thetaPair(at : u32) -> vec2<f32> { return unpack(theta[at >> 1u]); }`;

/** above = theta + scale · z and below = theta - scale · z, in float32. A mask is bound behind them. */
export function sidesShader(law: Distribution, isMasked: boolean, kind?: HalfKind): Shader {
  return {
    name: `sides ${law}${isMasked ? " masked" : ""} ${kind?.format ?? "float32"}`,
    code: `${EXACT}${PHILOX}${NO_DRAWS}${kind ? halfPair(kind.format) : FLOAT_PAIR}
@group(0) @binding(1) var<storage, read_write> above : array<f32>;
@group(0) @binding(2) var<storage, read_write> below : array<f32>;
fn change(at : u32, z : vec2<f32>, place : u32) {
  if (at >= params.size) { return; }
  let middle = thetaPair(at);
  let step = times2(z, params.scale);
  let high = plus2(middle, step);
  let low = plus2(middle, -step);
  above[at] = high.x;
  below[at] = low.x;
  if (at + 1u < params.size) {
    above[at + 1u] = high.y;
    below[at + 1u] = low.y;
  }
}${maskAt(isMasked ? 3 : undefined)}${LAWS[law].code}`,
  };
}
