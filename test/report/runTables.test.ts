import { expect, test } from "vitest";
import { paperColumn } from "../../src/measure/paper.ts";
import type { Run } from "../../src/record/run.ts";
import { markdownTable, table } from "../../src/report/runTables.ts";
import { groupRuns } from "../../src/report/summary.ts";
import { madeUpRun, oneSeed, twoSeeds } from "./runs.ts";

const paper = paperColumn("SST-2");

test("the terminal table shows every method beside the paper", () => {
  expect(table(oneSeed, paper)).toMatchInlineSnapshot(`
    "┌───────────┬──────────────────┬───────┬─────────┬──────────┬───────────────┐
    │ method    │ test accuracy, % │ steps │ seconds │ peak MiB │ paper OPT-13B │
    ├───────────┼──────────────────┼───────┼─────────┼──────────┼───────────────┤
    │ Majority  │       49.5 ± 1.6 │     – │       – │        – │             – │
    ├───────────┼──────────────────┼───────┼─────────┼──────────┼───────────────┤
    │ Zero-shot │       55.0 ± 1.6 │     0 │     4.0 │      402 │          58.8 │
    ├───────────┼──────────────────┼───────┼─────────┼──────────┼───────────────┤
    │ ICL       │       60.0 ± 1.5 │     0 │    31.0 │      455 │          87.0 │
    ├───────────┼──────────────────┼───────┼─────────┼──────────┼───────────────┤
    │ MeZO      │       90.0 ± 0.9 │ 1,500 │   121.4 │      431 │          91.4 │
    └───────────┴──────────────────┴───────┴─────────┴──────────┴───────────────┘
    ± binomial standard error of one run; n = 1,000 test rows.
    SST-2, model tiny, native backend, 2 threads; 1,000 train, 500 dev, 1,000 test rows from rows.tsv, sha256 0.
    Paper: OPT-13B (Table 1), one run on the paper's own SST-2 rows."
  `);
});

test("the terminal table fits in 80 columns", () => {
  const widths = table(oneSeed, paper)
    .split("\n")
    .filter((line) => /^[│┌└├]/.test(line))
    .map((line) => line.length);
  expect(widths.length).toBeGreaterThan(6);
  expect(Math.max(...widths)).toBeLessThanOrEqual(80);
});

test("the Markdown table has the same cells", () => {
  expect(markdownTable(oneSeed, paper)).toMatchInlineSnapshot(`
    "| method | test accuracy, % | steps | seconds | peak MiB | paper OPT-13B |
    | --- | ---: | ---: | ---: | ---: | ---: |
    | Majority | 49.5 ± 1.6 | – | – | – | – |
    | Zero-shot | 55.0 ± 1.6 | 0 | 4.0 | 402 | 58.8 |
    | ICL | 60.0 ± 1.5 | 0 | 31.0 | 455 | 87.0 |
    | MeZO | 90.0 ± 0.9 | 1,500 | 121.4 | 431 | 91.4 |

    ± binomial standard error of one run; n = 1,000 test rows. SST-2, model tiny, native backend, 2 threads; 1,000 train, 500 dev, 1,000 test rows from rows.tsv, sha256 0. Paper: OPT-13B (Table 1), one run on the paper's own SST-2 rows."
  `);
});

test("the caption says which rows are means over seeds", () => {
  expect(table(twoSeeds, paper)).toContain("± standard error of the mean over 2 seeds; n = 1,000 test rows each.");
  const mixed = [...twoSeeds, madeUpRun("Zero-shot", 0.5), madeUpRun("ICL", 0.5)];
  expect(table(mixed, paper)).toContain(
    "± standard error of the mean over 2 seeds (MeZO); ± binomial standard error of one run (Zero-shot, ICL); n = 1,000 test rows each.",
  );
});

test("what the peak was predicted to be stands beside it, where every method with a model says it", () => {
  const predicted = { weights: 200, activations: 100, temporaries: 20, gradients: 0, optimizer: 0, runtime: 130 };
  const inBytes = Object.fromEntries(Object.entries(predicted).map(([part, size]) => [part, size * 2 ** 20]));
  const [mezo, majority, icl] = oneSeed as [Run, Run, Run];
  const run = { ...mezo, cost: { ...mezo.cost, predicted: inBytes as unknown as typeof predicted } };
  const text = markdownTable([run, majority], paper);
  expect(text).toContain("| steps | seconds | peak MiB | predicted | paper OPT-13B |");
  expect(text).toContain("| MeZO | 90.0 ± 0.9 | 1,500 | 121.4 | 431 | 450 | 91.4 |");
  expect(text).toContain("| Majority | 49.5 ± 1.6 | – | – | – | – | – |");
  expect(markdownTable([run, icl], paper)).not.toContain("predicted");
});

test("a task without published scores has an empty column", () => {
  const table = markdownTable(twoSeeds, { ...paper, scores: {} });
  expect(table).toContain("| MeZO | 85.0 ± 5.0 | 100 | 15.0 | 410 | – |");
});

test("runs whose products were not in float32 say so, with the processor, and have a table of their own", () => {
  const [plain, other] = [madeUpRun("MeZO", 0.8), madeUpRun("MeZO", 0.9)];
  const run = { ...other, header: { ...other.header, products: "difference", processor: "avx512bf16" } } as const;
  expect(markdownTable([run], paper)).toContain(
    "SST-2, model tiny (products difference), native backend on AVX-512 with BF16, 2 threads;",
  );
  expect(markdownTable([plain], paper)).toContain("SST-2, model tiny, native backend, 2 threads;");
  expect(groupRuns([plain, run]).map((group) => group.length)).toEqual([1, 1]);
  expect(() => markdownTable([plain, run], paper)).toThrow(/the same products, but these have float32 and difference/);
});
