import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { natsPort } from "../../src/cluster/join.ts";
import type { Port } from "../../src/cluster/port.ts";
import { diff } from "../../src/record/diff.ts";
import { readRun } from "../../src/record/read.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { hasServer, needsServer, startServer } from "./server.ts";

const BIN = resolve(import.meta.dirname, "../../bin/mezo.js");
const STEPS = 1500;

const mezo = (args: readonly string[]): ChildProcess => spawn(process.execPath, [BIN, ...args], { stdio: "ignore" });

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** The names of a table's runs, once it is there. */
async function listRuns(port: Port): Promise<string[]> {
  for (;;) {
    const [offer] = await port.offers();
    const [line] = offer ? await port.lines(offer.run) : [];
    if (line) return (JSON.parse(line.text) as { jobs: { run: string }[] }).jobs.map(({ run }) => run);
    await port.sleep(0.1);
  }
}

/** Waits until one of the runs has some lines and no end. */
async function waitForLines(port: Port, runs: readonly string[]): Promise<void> {
  for (;;) {
    const lines = await Promise.all(runs.map((run) => port.lines(run)));
    if (lines.some((own) => own.length > 50 && own.length < STEPS)) return;
    await port.sleep(0.1);
  }
}

test.skipIf(!hasServer)(
  `a table whose worker is killed in the middle of a run is that of one machine, with every step once${needsServer}`,
  async () => {
    const [model, data, folder] = [tinyModel(), tinyData(), mkdtempSync(join(tmpdir(), "table-"))];
    const sizes = ["--train", "24", "--dev", "12", "--test", "12", "--steps", String(STEPS), "--batch-size", "8"];
    const own = ["--task", "SST-2", "--data", data, "--model", model, "--method", "zero-shot,mezo", "--lr", "1e-3"];
    const places = (name: string): string[] => ["--out", join(folder, name), "--figures", join(folder, "figures")];
    const table = (name: string): string[] => ["table", ...own, "--seeds", "1,2", ...sizes, ...places(name)];
    expect(spawnSync(process.execPath, [BIN, ...table("alone"), "--threads", "1"]).status).toBe(0);

    const server = await startServer();
    const port = await natsPort(server.url);
    const coordinator = mezo([...table("together"), "--cluster", server.url]);
    const worker = (): ChildProcess => mezo(["worker", "--cluster", server.url, "--model", model, "--threads", "1"]);
    const first = worker();
    const runs = await listRuns(port);
    await waitForLines(port, runs);
    await kill(first);
    const others = [worker(), worker()];
    const [code] = (await once(coordinator, "exit")) as [number];
    expect(code).toBe(0);

    const names = readdirSync(join(folder, "alone")).filter((name) => name.endsWith(".jsonl"));
    expect(readdirSync(join(folder, "together"))).toEqual(names);
    expect(names).toHaveLength(4);
    for (const name of names) {
      const [made, expected] = ["together", "alone"].map((place) => readRun(join(folder, place, name)));
      expect(diff(made!, expected!)).toBeUndefined();
      expect(made!.scores).toEqual(expected!.scores);
    }
    for (const run of runs) {
      const stored = (await port.lines(run)).map(({ text }) => JSON.parse(text));
      const steps = stored.filter(({ losses }) => losses).map(({ step }) => step);
      expect([[], [...Array(STEPS).keys()]]).toContainEqual(steps);
    }
    await Promise.all(others.map(kill));
    await port.close();
    await server.kill();
  },
);
