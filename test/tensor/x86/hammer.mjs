// Multiplies in several Workers at once, with numbers of threads of their own, and prints how many results were others than one thread's in each;
// one more Worker is ended in the midst of it. Run by workers.test.ts, with the built kit.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const kit = (file) => import(new URL(`../../../dist/tensor/${file}`, import.meta.url));
const { multiplyBoth } = await kit("x86/products.js");
const { setLibraryThreads } = await kit("x86/library.js");
const { give, take } = await kit("native/pool.js");

const [M, ROWS, COLUMNS] = [70, 300, 256];
const values = (count, speed) => Float32Array.from({ length: count }, (_, i) => Math.sin(speed * i));
const noise = { key: { k0: 1, k1: 2, stream: 3 }, law: "gaussian", eps: 1e-3 };
const matrix = { source: values(ROWS * COLUMNS, 0.7), first: 0, rows: ROWS, columns: COLUMNS, stride: COLUMNS, noise };
const x = values(M * COLUMNS, 0.3);

/** SHA-256 of both sides' products of all kinds. */
function productsHash() {
  const hash = createHash("sha256");
  const [plus, minus] = [take(M * ROWS), take(M * ROWS)];
  for (const products of ["float32", "bf16", "bf16x3", "difference"]) {
    multiplyBoth(products, M, matrix, { plus: { x, y: plus }, minus: { x, y: minus } }, "gelu");
    hash.update(plus).update(minus);
  }
  [plus, minus].forEach(give);
  return hash.digest("hex");
}

function countWrong({ threads, rounds, right }) {
  setLibraryThreads(threads);
  let wrong = 0;
  for (let round = 0; round < rounds; round++) wrong += productsHash() === right ? 0 : 1;
  return wrong;
}

const start = (data) => new Worker(new URL(import.meta.url), { workerData: data });

async function main() {
  setLibraryThreads(1);
  const right = productsHash();
  const endless = start({ threads: 4, rounds: Number.POSITIVE_INFINITY, right });
  const workers = [1, 2, 3, 4].map((threads) => start({ threads, rounds: 25, right }));
  const results = Promise.all(workers.map((worker) => once(worker, "message")));
  await setTimeout(300);
  await endless.terminate();
  process.setuid(process.getuid()); // waits until each thread has taken a signal of libc's
  process.stdout.write(JSON.stringify((await results).flat()));
}

if (isMainThread) await main();
else parentPort.postMessage(countWrong(workerData));
