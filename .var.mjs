import koffi from "koffi"; import { readdirSync } from "node:fs";
const fs = readdirSync("/tmp/s/noise").filter((f) => f.startsWith("v_")).sort();
const runs = fs.map((f) => koffi.load("/tmp/s/noise/" + f).func("void run(float *, int64_t, int, float)"));
const x = new Float32Array(4096), best = fs.map(() => 1e9);
for (let r = 0; r < 40; r++) runs.forEach((run, i) => { const c = process.cpuUsage(); run(x, 4096, 600, 1e-5); const u = process.cpuUsage(c); best[i] = Math.min(best[i], u.user + u.system); });
fs.forEach((f, i) => console.log(f.padEnd(20), (4096 * 600 / best[i] / 1e3).toFixed(3)));
