import { createRequire } from "node:module";
import { afterEach, expect, test, vi } from "vitest";
import { stored, visible } from "../../src/cli/notebooks/runNotebook.ts";
import { lineOf, reported } from "../../src/cli/notebooks/streams.ts";
import { KitError } from "../../src/error.ts";
import { paperColumn } from "../../src/measure/paper.ts";
import { interactive, styled } from "../../src/notebook/figure.ts";
import { liveChart, spark } from "../../src/notebook/live.ts";
import { besidePaper, tasksBesidePaper } from "../../src/notebook/results.ts";
import { scale, settingsFor } from "../../src/notebook/runs.ts";
import { show } from "../../src/notebook/tables.ts";
import type { Run } from "../../src/record/run.ts";
import { madeUpRun } from "../report/runs.ts";
import { printed } from "./printed.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** Work whose displays go to a kernel's place for them. */
function inKernel(
  show: (message: { readonly data: Readonly<Record<string, unknown>> }) => void,
  work: () => void,
): void {
  const jupyter = createRequire(import.meta.url)("tslab/dist/jupyter.js") as { lastWriteDisplayData: unknown };
  jupyter.lastWriteDisplayData = show;
  work();
  jupyter.lastWriteDisplayData = null;
}

test("the scale is the cell's, unless MEZO_SCALE names another", () => {
  vi.stubEnv("MEZO_SCALE", undefined);
  expect(scale("laptop")).toBe("laptop");
  vi.stubEnv("MEZO_SCALE", "smoke");
  expect(scale("laptop")).toBe("smoke");
  vi.stubEnv("MEZO_SCALE", "huge");
  expect(() => scale("laptop")).toThrow("The scale huge was asked for, but there are smoke, laptop, paper");
});

test("settings are those of the scale, single ones replaced by MEZO_SETTINGS", () => {
  const byScale = { smoke: { steps: 1, lr: 1 }, laptop: { steps: 2, lr: 1 }, paper: { steps: 3, lr: 1 } };
  vi.stubEnv("MEZO_SETTINGS", '{"lr":0.5}');
  expect(settingsFor("paper", byScale)).toEqual({ steps: 3, lr: 0.5 });
  vi.stubEnv("MEZO_SETTINGS", "lr=1");
  expect(() => settingsFor("paper", byScale)).toThrow(KitError);
});

test("a table's text has columns by width, numbers to the right, and a dash for what is missing", () => {
  const rows = [
    { method: "MeZO", score: 75.123, steps: 2000 },
    { method: "Zero-shot", score: null, steps: 0 },
  ];
  expect(printed(() => show(rows, { caption: "two" }))).toBe(
    "method     score  steps\n---------  -----  -----\nMeZO        75.1  2,000\nZero-shot      –      0\ntwo\n",
  );
});

test("one method's table has the paper's tasks in its order, beside the majority class, and leaves out those without the method", () => {
  const of = (task: string, method: string, accuracy: number): Run => {
    const run = madeUpRun(method, accuracy);
    return { ...run, header: { ...run.header, task } };
  };
  const runs = [of("RTE", "MeZO", 0.6), of("RTE", "Majority", 0.5), of("SST-2", "MeZO", 0.8), of("CB", "FT", 0.7)];
  const rows = tasksBesidePaper(runs, "MeZO");
  expect(rows.map(({ task }) => task)).toEqual(["SST-2", "RTE"]);
  expect(rows[0]).toMatchObject({ "majority, %": null, "ours, %": "80.0", "paper, %": 91.4, difference: "−11.4" });
  expect(rows[1]).toMatchObject({ "majority, %": "50.0", "ours, %": "60.0", "inside noise": "no" });
});

test("a score that is not two standard errors above the majority class is at chance, however near the paper's it is", () => {
  const paper = { ...paperColumn("SST-2"), scores: { "Zero-shot": 53.0, ICL: 53.5, MeZO: 91.4, FT: 81.0 } };
  const scores = { Majority: 0.5, "Zero-shot": 0.53, ICL: 0.533, MeZO: 0.4, FT: 0.8 };
  const runs = Object.entries(scores).map(([method, score]) => madeUpRun(method, score));
  // Two standard errors of 1,000 rows are 3.2 points near one half, 2.5 at 80 %.
  const verdicts = Object.fromEntries(besidePaper(runs, paper).map((row) => [row.method, row["inside noise"]]));
  expect(verdicts).toEqual({ Majority: null, "Zero-shot": "at chance", ICL: "yes", MeZO: "at chance", FT: "yes" });
  const [zeroShot] = besidePaper([madeUpRun("Zero-shot", 0.53)], paper);
  expect(zeroShot).toMatchObject({ "inside noise": "yes" });
});

test("a sparkline goes from the lowest to the highest block", () => {
  expect(spark([8, 7, 6, 5, 4, 3, 2, 1])).toBe("█▇▆▅▄▃▂▁");
  expect(spark([1])).toBe("");
  expect(spark([2, 2])).toBe("▁▁");
  expect(spark(Array.from({ length: 1000 }, (_, i) => i))).toHaveLength(24);
});

test("a chart of the loss grows with the run where someone looks on, and starts over with the next method", () => {
  type Chart = { data: { x: number[]; y: number[] }[]; layout: { title: { text: string } } };
  const charts: Chart[] = [];
  const places = new Set<string | undefined>();
  vi.stubEnv("MEZO_LIVE", "1");
  inKernel(
    ({ data }) => {
      const plotly = data["application/vnd.plotly.v1+json"] as Chart | undefined;
      if (!plotly) return;
      charts.push(plotly);
      places.add(/id="([^"]+)"/.exec(String(data["text/html"]))?.[1]);
    },
    () => {
      const progress = liveChart();
      for (let step = 1; step <= 1000; step++)
        progress({ label: "MeZO", done: step, total: 1000, loss: step <= 500 ? 2 : 1, dev: 0.5 });
      progress({ label: "MeZO", part: "test", done: 5, total: 5 });
      progress({ label: "FT", done: 1, total: 1, loss: 0.5 });
    },
  );
  const [first, last] = charts.slice(-2).map(({ data, layout }) => ({ title: layout.title.text, ...data[0]! }));
  expect(first).toMatchObject({ title: "MeZO", x: Array.from({ length: 200 }, (_, i) => 5 * (i + 1)) });
  expect([first!.y[0], first!.y.at(-1)]).toEqual([2, 1]);
  expect(last).toMatchObject({ title: "FT", x: [1], y: [0.5] });
  expect(places.size).toBe(1);
});

test("a drawing gets the kit's axes, and keeps what it says itself", () => {
  const { layout } = styled({ data: [], layout: { width: 400, yaxis: { title: { text: "loss" } } } });
  expect(layout).toMatchObject({
    width: 400,
    height: 460,
    xaxis: { showline: true },
    yaxis: { showline: true, title: { text: "loss" } },
  });
});

test("an interactive figure cannot end its own script", () => {
  const html = interactive({ data: [{ name: "</script><b>" }], layout: { width: 1, height: 1 } }, new Uint8Array(3));
  expect(html.match(/<\/script>/g)).toHaveLength(1);
});

test("stored outputs have texts by lines and keys in order, and what a carriage return wipes out is gone", () => {
  expect(stored({ output_type: "stream", name: "stdout", text: "10 %\r20 %\rdone\nnext" })).toEqual({
    ...{ name: "stdout", output_type: "stream", text: ["done\n", "next"] },
  });
  const data = { "text/plain": "a\nb", "image/png": "x", "application/json": { b: 1, a: 2 } };
  expect(JSON.stringify(stored({ output_type: "display_data", data, metadata: {} }))).toBe(
    '{"data":{"application/json":{"a":2,"b":1},"image/png":"x","text/plain":["a\\n","b"]},"metadata":{},"output_type":"display_data"}',
  );
});

test.each([
  ["10 %\r20 %\rdone", "done"],
  ["abc\rx", "xbc"],
  ["a\rbc\rd\ne", "dc\ne"],
  ["a\rb\n", "b\n"],
  ["a\r\nb\r\r\nc", "a\nb\nc"],
  ["20 %\r", "20 %"],
  ["\rx", "x"],
  ["😀a\rx", "xa"],
  ["ab\bc", "ab\bc"],
])("after a carriage return %j is written over as in JupyterLab's view: %j", (text, seen) => {
  expect(visible(text)).toBe(seen);
});

test("a line of 3 MB, and one of a million carriage returns, are seen whole", { timeout: 30_000 }, () => {
  const long = "y".repeat(3e6);
  const texts = [long, `${long}\r`, "x\r".repeat(1e6) + long, `${long}\r${"y\r".repeat(1e6)}`];
  expect(texts.map((text) => visible(text) === long)).toEqual([true, true, true, true]);
});

test("a failure's line is the compiler's, or the source's line that is most like the compiled one that threw", () => {
  const typed = reported(undefined, ["3:7 - Type 'string' is not assignable to type 'number'."]);
  expect(lineOf(typed, "a\nb\nc", "")).toBe(3);
  const error = new Error("broken");
  error.stack = "Error: broken\n    at evalmachine.<anonymous>:4:9";
  const compiled = '"use strict";\nconst kit_1 = require("kit");\nlet x;\n(0, kit_1.work)(x, 12);';
  expect(lineOf(reported(undefined, [error]), 'import { work } from "kit";\n\nwork(x as number, 12);', compiled)).toBe(
    3,
  );
});

test("an error text of 200,000 lines is reported whole", () => {
  const error = new Error("x");
  error.stack = "line\n".repeat(200_000);
  expect(reported(undefined, [error]).traceback.length).toBeGreaterThan(200_000);
});

test("of a KitError the sentence alone is stored", () => {
  expect(reported(undefined, [new KitError("One sentence.")]).traceback).toEqual(["KitError: One sentence."]);
});
