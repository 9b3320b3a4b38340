import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import seedrandom from "seedrandom";
import { afterAll, expect, test } from "vitest";
import { natsPort } from "../../src/cluster/join.ts";
import type { Port } from "../../src/cluster/port.ts";
import { diff } from "../../src/record/diff.ts";
import { readRun } from "../../src/record/read.ts";
import { tinyData, tinyModel } from "../tiny.ts";
import { hasServer, needsServer, startServer } from "./server.ts";

const BIN = resolve(import.meta.dirname, "../../bin/mezo.js");
/** Steps are far more than the kills need, since others may take hundreds while this process finds its server again. */
const [STEPS, KILLS, WORKERS] = [1500, 20, 4];
const LAST_KILL = 400;

/** A party that can be killed at any moment, and is started again. */
interface Party {
  killed(): Promise<void>;
}

const children: ChildProcess[] = [];

function mezo(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: "ignore" });
  children.push(child);
  return child;
}

afterAll(() => {
  for (const child of children) child.kill("SIGKILL"); // a test that failed leaves some
});

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

/** Waits until the run of the cluster has taken so many steps. */
async function waitForSteps(port: Port, least: number): Promise<void> {
  for (;;) {
    const [offer] = await port.offers();
    const lines = offer ? await port.lines(offer.run) : [];
    if (lines.filter(({ text }) => text.includes('"losses"')).length >= least) return;
    await port.sleep(0.05);
  }
}

test.skipIf(!hasServer)(
  `a run whose coordinator, workers and server are killed at ${KILLS} moments is that of one process, with every step once${needsServer}`,
  async () => {
    const [model, data, folder] = [tinyModel(), tinyData(), mkdtempSync(join(tmpdir(), "killed-"))];
    const sizes = ["--train", "24", "--dev", "12", "--test", "12", "--steps", String(STEPS), "--batch-size", "8"];
    const own = ["--task", "SST-2", "--data", data, "--model", model, "--method", "mezo", "--lr", "1e-3", ...sizes];
    const alone = ["tune", ...own, "--threads", "1", "--micro-batch-size", "2", "--out", join(folder, "alone")];
    expect(spawnSync(process.execPath, [BIN, ...alone]).status).toBe(0);

    const server = await startServer();
    const port = await natsPort(server.url);
    const cluster = ["--cluster", server.url, "--threads", "1"];
    const coordinate = (n: number): ChildProcess =>
      mezo(["tune", ...own, ...cluster, "--shards", "4", "--patience", "1", "--resume", "--out", join(folder, `${n}`)]);
    let [coordinators, coordinator] = [0, coordinate(0)];
    const workers = Array.from({ length: WORKERS }, () => mezo(["worker", "--model", model, ...cluster]));
    const again = {
      killed: async () => {
        await kill(coordinator);
        coordinator = coordinate(++coordinators); // in an empty folder, as on another machine
      },
    };
    const parties: readonly Party[] = [
      ...workers.map((_, i) => ({
        killed: async () => {
          await kill(workers[i]!);
          workers[i] = mezo(["worker", "--model", model, ...cluster]);
        },
      })),
      again,
      { killed: () => server.restart() },
    ];
    const random = seedrandom.alea("kills");
    const moments = Array.from({ length: KILLS }, () => 1 + Math.floor(random() * LAST_KILL)).toSorted((a, b) => a - b);
    for (const moment of moments) {
      await waitForSteps(port, moment);
      await parties[Math.floor(random() * parties.length)]!.killed();
    }
    const [{ run } = { run: "" }] = await port.offers();
    const [code] = (coordinator.exitCode === null ? await once(coordinator, "exit") : [coordinator.exitCode]) as [
      number,
    ];
    expect(code).toBe(0);

    const [made, expected] = [`${coordinators}`, "alone"].map((name) => readRun(join(folder, name, "run.jsonl")));
    expect(diff(made!, expected!)).toBeUndefined();
    expect(made!.scores.at(-1)!.theta).toBe(expected!.scores.at(-1)!.theta);
    const stored = (await port.lines(run)).map(({ text }) => JSON.parse(text));
    expect(stored.filter(({ losses }) => losses).map(({ step }) => step)).toEqual([...Array(STEPS).keys()]);
    expect(stored.filter(({ cost }) => cost)).toHaveLength(1);
    await Promise.all(workers.map(kill));
    await port.close();
    await server.kill();
  },
);
