import { EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Port } from "../../src/cluster/port.ts";
import type { JobWorker } from "../../src/measure/clusterJobs.ts";
import type { Job } from "../../src/measure/plan.ts";
import type { MeasureOptions } from "../../src/measure/request.ts";
import type { Run } from "../../src/record/run.ts";
import { tinyData, tinyModel } from "../tiny.ts";

/** As it is built, since a run's process is. */
const built = (path: string): string => join(import.meta.dirname, "../../dist", path);
const load = {
  table: () => import(built("measure/clusterTable.js")) as Promise<typeof import("../../src/measure/clusterTable.ts")>,
  jobs: () => import(built("measure/clusterJobs.js")) as Promise<typeof import("../../src/measure/clusterJobs.ts")>,
  plan: () => import(built("measure/plan.js")) as Promise<typeof import("../../src/measure/plan.ts")>,
  request: () => import(built("measure/makeRequest.js")) as Promise<typeof import("../../src/measure/makeRequest.ts")>,
  runJob: () => import(built("measure/runJob.js")) as Promise<typeof import("../../src/measure/runJob.ts")>,
  cluster: () => import(built("index.js")) as Promise<typeof import("../../src/index.ts")>,
  folder: () => import(built("checkpoints/folder.js")) as Promise<typeof import("../../src/checkpoints/folder.ts")>,
};

const model = tinyModel();
const data = tinyData();
const emptyFolder = (): string => mkdtempSync(join(tmpdir(), "table-"));
const small: MeasureOptions = { model, data, train: 22, dev: 12, test: 12, batchSize: 4, threads: 1 };
const supervision = { onProgress: () => {}, signal: new AbortController().signal };
let base = "";
beforeAll(async () => {
  base = (await load.folder()).hashFiles([join(model, "model.safetensors")]);
});
afterEach(() => void vi.restoreAllMocks());

/** A cluster in memory whose clock goes ten times as fast. */
async function fastCluster(patience: number): Promise<Port> {
  const { inMemory } = await load.cluster();
  const sleep: Port["sleep"] = (seconds, signal) =>
    setTimeout(100 * seconds, undefined, { ref: false, ...(signal && { signal }) }).catch(() => {});
  return inMemory({ patience, turn: 2, sleep });
}

async function jobsOf(options: MeasureOptions): Promise<readonly Job[]> {
  const [{ makeRequest }, { makePlan }] = [await load.request(), await load.plan()];
  const request = makeRequest({ ...small, out: emptyFolder(), figures: emptyFolder(), ...options });
  return (await makePlan(request, () => {})).jobs;
}

/** What runs are apart from what they cost. */
const withoutCost = (runs: readonly Run[]): Omit<Run, "cost">[] => runs.map(({ cost: _, ...run }) => run);

async function alone(options: MeasureOptions): Promise<Omit<Run, "cost">[]> {
  const { runJob } = await load.runJob();
  const runs = [];
  for (const job of await jobsOf(options)) runs.push(await runJob(job, supervision));
  return withoutCost(runs);
}

/** Does something while workers at these ports do jobs. */
async function during<T>(ports: readonly Port[], body: () => Promise<T>, own: Partial<JobWorker> = {}): Promise<T> {
  const [{ work }, { serveTable }] = [await load.cluster(), await load.jobs()];
  const over = new AbortController();
  const { signal } = over;
  const worker: JobWorker = {
    own: { model, threads: 1 },
    model: basename(model),
    base,
    onProgress: () => {},
    signal,
    ...own,
  };
  const unused = (): never => {
    throw new Error("no run was offered");
  };
  const working = ports.map((port) =>
    work(unused, port, { signal, onRefused: refuse, serveTable: (id) => serveTable(port, id, worker) }),
  );
  try {
    return await Promise.race([body(), Promise.all(working).then(() => new Promise<never>(() => {}))]);
  } finally {
    over.abort();
    await Promise.all(working);
  }
}

const refused: string[] = [];
const refuse = ({ message }: Error): void => void refused.push(message);

describe("a table on a cluster", { timeout: 120_000 }, () => {
  const methods = ["Majority", "Zero-shot", "FT", "MeZO (LoRA)"];
  const options = { methods, seeds: [1, 2], steps: 4 };

  test("has the runs of one process, each in its file, whoever made it", async () => {
    const [{ runTable }, port, jobs] = [await load.table(), await fastCluster(300), await jobsOf(options)];
    const labels = new Set<string>();
    const onProgress = ({ label }: { readonly label: string }): void => void labels.add(label);
    const runs = await during([port, port], () => runTable(port, jobs, { ...supervision, onProgress }));
    expect(withoutCost(runs)).toEqual(await alone(options));
    expect(jobs.every(({ file }) => existsSync(file) && !existsSync(`${file}.part`))).toBe(true);
    expect(labels).toContain("MeZO (LoRA) seed 2");
    expect(await port.offers()).toEqual([]);
  });

  test("goes on behind the lines of a worker that has died, with every step once", async () => {
    const mezo = { methods: ["MeZO"], seeds: [1], steps: 300, evaluateEvery: 100 };
    const [{ runTable }, port, jobs] = [await load.table(), await fastCluster(20), await jobsOf(mezo)];
    let appended = 0;
    const dead = new EventEmitter();
    const died = once(dead, "dead");
    const dying: Port = {
      ...port,
      take: async (...given) => {
        const taken = await port.take(...given);
        return taken && { ...taken, keep: () => {} };
      },
      append: async (run, text, place) => {
        if (appended++ < 5) return port.append(run, text, place);
        dead.emit("dead");
        return new Promise<never>(() => {});
      },
    };
    const given = runTable(port, jobs, supervision);
    const first = during([dying], () => died);
    await died;
    const runs = await during([port], () => given);
    void first;
    expect(withoutCost(runs)).toEqual(await alone(mezo));
    const names = (await port.lines((await listRuns(port, jobs))[0]!)).map(({ text }) => JSON.parse(text));
    expect(names.filter(({ losses }) => losses).map(({ step }) => step)).toEqual(
      Array.from({ length: 300 }, (_, i) => i),
    );
  });

  test("that the cluster has to its end needs no worker, though its files are gone", async () => {
    const mezo = { methods: ["MeZO"], seeds: [1, 2], steps: 3 };
    const [{ runTable }, port] = [await load.table(), await fastCluster(300)];
    const first = await during([port], async () => runTable(port, await jobsOf(mezo), supervision));
    const again = await runTable(port, await jobsOf(mezo), supervision);
    expect(again).toEqual(first);
  });

  test("says why a job failed, and keeps no file of it", async () => {
    const diverging = { methods: ["MeZO"], seeds: [1], steps: 3, lr: 1e38 };
    const [{ runTable }, port, jobs] = [await load.table(), await fastCluster(300), await jobsOf(diverging)];
    await during([port], () =>
      expect(runTable(port, jobs, supervision)).rejects.toSatisfy(
        (error: Error) => error.constructor.name === "NotFinite" && /loss/.test(error.message),
      ),
    );
    expect(readdirSync(join(jobs[0]!.file, ".."))).toEqual([]);
    expect(await port.offers()).toEqual([]);
  });

  test("is refused where the cluster has another run under the name of one of its own", async () => {
    const [{ runTable }, port] = [await load.table(), await fastCluster(300)];
    const other = await jobsOf({ methods: ["Majority"], seeds: [2] });
    await during([port], () => runTable(port, other, supervision));
    const jobs = await jobsOf({ methods: ["Majority"], seeds: [1] });
    const [name] = await listRuns(port, jobs);
    let place = 0;
    for (const line of readFileSync(other[0]!.file, "utf8").split("\n").slice(0, -1))
      place = await port.append(name!, line, place);
    await expect(runTable(port, jobs, supervision)).rejects.toThrow(/whose seed is 2 and not 1/);
    expect(readdirSync(join(jobs[0]!.file, ".."))).toEqual([]);
  });

  test("has a cell's runs too, and those of a grid's best rate", async () => {
    const { measure } = (await import(built("notebook/index.js"))) as typeof import("../../src/notebook/index.ts");
    vi.stubEnv("MEZO_SCALE", undefined);
    const write = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
    const cell = { ...small, methods: ["Zero-shot", "MeZO"], steps: 3, grid: { MeZO: [1e-2, 1e-4] } };
    const port = await fastCluster(300);
    const together = { ...cell, out: emptyFolder(), cluster: { port } };
    const runs = await during([port, port], () => measure(together, () => {}));
    const expected = await measure({ ...cell, out: emptyFolder() }, () => {});
    write.mockRestore();
    vi.unstubAllEnvs();
    expect(withoutCost(runs)).toEqual(withoutCost(expected));
    expect(runs.map(({ header }) => header.method)).toEqual(["Zero-shot", "MeZO"]);
  });

  test("is left to others by a worker with another base, by name", async () => {
    const [{ runTable }, port] = [await load.table(), await fastCluster(300)];
    const jobs = await jobsOf({ methods: ["Zero-shot"], seeds: [1] });
    refused.length = 0;
    const over = new AbortController();
    const waiting = runTable(port, jobs, { ...supervision, signal: over.signal });
    await during([port], () => setTimeout(1000), { base: "0123456789abcdef" });
    expect(refused).toEqual([
      `The table is of base ${base}, but this worker has 0123456789abcdef: start it with the table's.`,
    ]);
    over.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(await port.offers()).toEqual([]);
  });

  test.each([
    ["no JSON", "half", /should be a job's result was left aside, as "half" is no JSON/],
    ["neither a run nor a failure", { worker: "w" }, /should be a job's result was left aside/],
    ["a run that is not there", { worker: "w", run: "none" }, /the cluster has no end of it: it is done once more/],
    ["another table's run", { worker: "w", run: "other" }, /came back as a run whose seed is 2 and not 1/],
  ])("does a job again whose result is %s", async (_, result, why) => {
    const [{ runTable }, port] = [await load.table(), await fastCluster(300)];
    const other = await jobsOf({ methods: ["Majority"], seeds: [2] });
    await during([port], () => runTable(port, other, supervision));
    let place = 0;
    for (const line of readFileSync(other[0]!.file, "utf8").split("\n").slice(0, -1))
      place = await port.append("other", line, place);
    const said = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    let forged = 0;
    const forging: Port = {
      ...port,
      answer: (piece, text, worker) =>
        port.answer(
          piece,
          forged++ > 0 ? text : typeof result === "string" ? result : JSON.stringify(result),
          `${worker}${forged}`,
        ),
    };
    const jobs = await jobsOf({ methods: ["Majority"], seeds: [1] });
    const [run] = await during([forging], () => runTable(port, jobs, supervision));
    expect(run?.header.seed).toBe(1);
    expect(said.mock.calls.map(([text]) => String(text)).join("")).toMatch(why);
  });
});

/** The names of a table's runs in the cluster. */
async function listRuns(port: Port, jobs: readonly Job[]): Promise<string[]> {
  const { describeTable } = (await import(
    built("measure/clusterMessages.js")
  )) as typeof import("../../src/measure/clusterMessages.ts");
  return (await describeTable(port, jobs)).jobs.map(({ run }) => run);
}
