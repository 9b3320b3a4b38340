import koffi from "koffi";
const so = process.argv[2] ?? "./src/tensor/x86/linux-x64.so";
const lib = koffi.load(so); const use = lib.func("int mezo_use_level(int)"), move = lib.func("int mezo_move(void *, int, void *, int, int)");
process.env.MEZO_CPU = "none";
const { moveInPieces, setNoiseThreads } = await import("./dist/tensor/noise/pieces.js");
setNoiseThreads(1);
const moves = (n) => Array.from({ length: n }, (_, i) => ({ key: { k0: i * 77, k1: 5 - i >>> 0, stream: i * 1e6 >>> 0 }, scale: 1e-5, keep: 1 }));
function table(theta, ms, format = 0, stochastic = 0) {
  const w = new Uint32Array(5 * ms.length), f = new Float32Array(w.buffer);
  ms.forEach(({ key, scale, keep }, i) => { w.set([key.k0, key.k1, key.stream], 5 * i); f[5 * i + 3] = scale; f[5 * i + 4] = keep; });
  return [BigInt64Array.from([koffi.address(theta), 0n, 0n, ...[format, stochastic, 0, theta.length, 0, 0, ms.length, 0].map(BigInt)]), 1, w];
}
const small = new Float32Array(65536).fill(0.1), large = new Float32Array(1 << 23).fill(0.1);
const h16 = new Uint16Array(65536).fill(0x3c00);
const rounds = Number(process.argv[3] ?? 12);
const cases = [];
for (const law of [0, 1]) {
  const m = moves(law ? 128 : 16), one = moves(1);
  const wasmLaw = ["gaussian", "rademacher"][law];
  const piece = (theta, ms) => moveInPieces([{ theta, from: 0, to: theta.length ?? theta.bits.length, offset: 0, moves: ms, law: wasmLaw }]);
  cases.push([`wasm law ${law} many`, small.length * m.length, () => piece(small, m)]);
  cases.push([`wasm law ${law} one large`, large.length, () => piece(large, one)]);
  const half = (rounding, format = "bfloat16") => ({ bits: h16, format, rounding });
  const hm = m.slice(0, 16);
  for (const r of ["nearest", "stochastic"]) for (const f of ["bfloat16", "float16"]) cases.push([`wasm law ${law} ${f} ${r}`, h16.length * 16, () => piece(half(r, f), hm)]);
  for (const level of [1, 2]) {
    const t = table(small, m), l = table(large, one);
    const run = (args) => () => { use(level); if (move(...args, law, 1)) throw 1; };
    cases.push([`${["", "avx2", "avx512"][level]} law ${law} many`, small.length * m.length, run(t)]);
    cases.push([`${["", "avx2", "avx512"][level]} law ${law} one large`, large.length, run(l)]);
    for (const s of [0, 1]) for (const f of [1, 2]) cases.push([`${["", "avx2", "avx512"][level]} law ${law} ${["", "bfloat16", "float16"][f]} ${["nearest", "stochastic"][s]}`, h16.length * 16, run(table(h16, hm, f, s))]);
  }
}
const best = cases.map(() => Infinity);
for (let r = 0; r < rounds; r++) cases.forEach(([, , run], i) => { const c = process.cpuUsage(), t = performance.now(); run(); const u = process.cpuUsage(c); best[i] = Math.min(best[i], Math.max((u.user + u.system) / 1e3, 0.001)); });
cases.forEach(([name, n], i) => console.log(name.padEnd(40), (n / best[i] / 1e6).toFixed(3), "G/s"));
