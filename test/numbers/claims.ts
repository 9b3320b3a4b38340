import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { readRun } from "../../src/record/read.ts";
import type { Run } from "../../src/record/run.ts";
import { markdownTable, table } from "../../src/report/runTables.ts";
import { groupRuns, mean } from "../../src/report/summary.ts";

const data = resolve(import.meta.dirname, "../../data");

/** The finished runs of a folder of data/runs. */
export const runsIn = (folder: string): Run[] =>
  readdirSync(join(data, "runs", folder))
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => readRun(join(data, "runs", folder, name)));

/** A table of the paper. */
// biome-ignore lint/suspicious/noExplicitAny: each has a form of its own.
const paper = (number: number): any => JSON.parse(readFileSync(join(data, `paper/table${number}.json`), "utf8"));

const [t1, t12, t18, t19, t20, t22, t23] = [1, 12, 18, 19, 20, 22, 23].map(paper);

/** A score of Table 1 on SST-2, and one of Table 18 by its number of examples a class. */
const sst2 = (method: string): string => t1.scores[method][0].toFixed(1);
const few = (k: number, method: string, task: string): number => t18.k[k].scores[method][t18.tasks.indexOf(task)];

/** A method's row of Tables 19, 22 or 23. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
const rowOf = (of: { rows: any[] }, wanted: object): any =>
  of.rows.find((row) => Object.entries(wanted).every(([key, value]) => row[key] === value));

/** Seconds of a step of OPT-30B. */
const stepOf = (method: string, batch: number): number => rowOf(t23, { model: "OPT-30B", method, batch }).seconds;

/** MeZO's score on TREC, and that after linear probing, in Table 19. */
const onTrec = (method: string): number => rowOf(t19, { method, task: "TREC" }).percent;

/** How much more than inference a method of Table 12 takes. */
const excess = (method: string): number =>
  rowOf(t12, { method }).megabytes / rowOf(t12, { method: "Inference (and MeZO)" }).megabytes;

/** FT's memory over MeZO's at most, in Table 22. */
const mostMemory = Math.max(
  ...t22.rows.flatMap(({ model, method, gb }: { model: string; method: string; gb?: number }) =>
    method === "FT" && gb ? [gb / rowOf(t22, { model, method: "MeZO" }).gb] : [],
  ),
);

/** What the better of MeZO's two forms gains over a method, the mean over the tasks of Table 20 that have both. */
function gainOver(method: string, size: "13B" | "30B" | "66B"): number {
  const { tasks } = t20;
  const of = (name: string): (number | null)[] =>
    size === "13B"
      ? tasks.map((task: string) => t1.scores[name][t1.tasks.indexOf(task)])
      : t20.models[`OPT-${size}`].scores[name];
  const forms = [of("MeZO"), of("MeZO (prefix)")];
  return mean(
    tasks.map((_: string, i: number) => Math.max(...forms.map((form) => form[i] ?? 0)) - (of(method)[i] ?? 0)),
  );
}

const gains = (method: string, digits: number): string[] =>
  (["13B", "30B", "66B"] as const).map((size) => gainOver(method, size).toFixed(digits));

/** The weights of a bundled model, by the shapes in its file. */
function countWeights(model: string): number {
  const file = readFileSync(join(data, "models", model, "model.safetensors"));
  const { __metadata__, ...tensors } = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE())).toString());
  const shapes = Object.values(tensors as Record<string, { shape: number[] }>).map(({ shape }) => shape);
  return shapes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

/** To its first digits, with commas between thousands: 2,300. */
const about = (value: number, digits = 2): string => Number(value.toPrecision(digits)).toLocaleString("en-US");

const [opt, roberta] = [countWeights("opt-reviews"), countWeights("roberta-reviews")];
const OPT_13B = 12.853e9;
const ROBERTA_LARGE = 355e6;
const optMillions = `${(opt / 1e6).toFixed(1)} million`;
const timesOpt = `${about(OPT_13B / opt)} times`;

const own = groupRuns(runsIn("")).find((group) => group.some(({ header }) => header.model === "opt-reviews"))!;

/** The two runs of the README's first program, in the order of its table: `npm run bench:readme` makes them. */
export const quick: readonly Run[] = ["zeroShot", "tuned"].map((name) =>
  readRun(join(data, "runs/readme", `${name}.jsonl`)),
);
const quickSeconds = Math.ceil(quick.reduce((sum, { cost }) => sum + cost.seconds, 0));

/** What two workers take of the time of one process, the shortest step of each, and the KB of their messages a step: `npm run bench:cluster` measures it. */
const together = (() => {
  type Turn = Readonly<Record<"alone" | "together", readonly number[]>> & { readonly bytesPerStep: number };
  const file = join(data, "runs/bench-cluster-16x64-2workers.json");
  const { turns } = JSON.parse(readFileSync(file, "utf8")) as { turns: readonly Turn[] };
  const [alone, both] = (["alone", "together"] as const).map((who) => Math.min(...turns.flatMap((turn) => turn[who])));
  return { share: both! / alone!, kilobytes: Math.max(...turns.map((turn) => turn.bytesPerStep)) / 1e3 };
})();

/**
 * What the README, the page on more than one machine and the notebooks' Markdown must say, in these very words, by the files of data/ that it follows from. Numbers that
 * cells print need no entry.
 */
export const CLAIMS: Readonly<Record<string, readonly string[]>> = {
  README: [
    `In ${quickSeconds} seconds on two cores this prints`,
    table(quick).split("\n").slice(0, 7).join("\n"),
    markdownTable(own),
    `The paper's model has ${timesOpt} the weights.`,
  ],
  cluster: [
    `take ${together.share.toFixed(2)} of the step of one process with one thread`,
    `a step's messages have ${together.kilobytes.toFixed(1)} KB`,
  ],
  "00": [`(${optMillions} weights)`, `The paper's model has ${timesOpt} the weights`],
  "01": [`the weights of OPT-13B are ${((2 * OPT_13B) / 1e9).toFixed(0)} GB in 16 bits`],
  "02": [
    `answers ${sst2("Zero-shot")} % of SST-2 correctly zero-shot, and ${sst2("ICL")} % after 32 demonstrations`,
    `the paper's ${sst2("ICL")} for ICL`,
  ],
  "03": [`reaches ${sst2("LP")} % on SST-2 with OPT-13B`],
  "04": [`up to ${mostMemory.toFixed(0)} times the memory of inference`],
  "05": [
    `${sst2("MeZO")} % on SST-2, ${(Number(sst2("FT")) - Number(sst2("MeZO"))).toFixed(1)} points below FT`,
    `LP is first on SST-2 (${sst2("LP")}), FT (${sst2("FT")}) and MeZO (${sst2("MeZO")}) follow`,
    `ICL (${sst2("ICL")}) is behind`,
  ],
  "06": [`reaches ${sst2("MeZO (LoRA)")} % on SST-2`],
  "07": [`reaches ${sst2("MeZO (prefix)")} % on SST-2`, `the forms train ${ROBERTA_LARGE / 1e6} million weights`],
  "08": [
    `is ${gains("Zero-shot", 0)
      .join(", ")
      .replace(/, (?=\d+$)/, " and ")} points above zero-shot`,
    `and ${gains("ICL", 1)
      .join(", ")
      .replace(/, (?=[\d.]+$)/, " and ")} above in-context learning`,
    `The bundled model has ${optMillions} weights`,
    `${t1.scores.FT[t1.tasks.indexOf("WSC")].toFixed(1)} is the share of the majority class`,
  ],
  "09": [
    `the paper's MeZO gains ${(few(512, "MeZO", "SST-2") - few(16, "MeZO", "SST-2")).toFixed(0)} points on SST-2 and ` +
      `${(few(512, "MeZO", "TREC") - few(16, "MeZO", "TREC")).toFixed(0)} on TREC`,
  ],
  "10": [
    `FT with Adam takes up to ${mostMemory.toFixed(0)} times that`,
    `forward mode takes ${excess("Forward-mode differentiation").toFixed(1)} times the excess of inference, ` +
      `and backpropagation ${excess("Backpropagation").toFixed(0)} times`,
    `${((4 * opt) / 1e6).toFixed(0)} MB here, under the runtime's 100, but ${((2 * OPT_13B) / 1e9).toFixed(0)} GB in 16 bits`,
  ],
  "11": [
    `At 30B a step of MeZO is ${(stepOf("FT (Adam, FSDP)", 8) / stepOf("MeZO", 16)).toFixed(1)} times as fast as one of FT`,
    `The paper's claim on memory, at its sizes and in 16 bits, is up to ${mostMemory.toFixed(0)} times`,
  ],
  "13": [`costs ${(onTrec("MeZO") - onTrec("LP-MeZO")).toFixed(0)} on TREC`, `the model has ${optMillions} weights`],
  "14": [`(${optMillions} weights)`, `all ${optMillions}`, `ln 2 = ${Math.LN2.toFixed(3)}`],
  "17": [`RoBERTa-large has ${about(ROBERTA_LARGE / roberta)} times the weights of the one here, OPT-13B ${timesOpt}`],
};

/** What is no measurement, in the words of the text: versions, limits and settings of the kit, examples, and what others have published. */
export const STATED: Readonly<Record<string, readonly string[]>> = {
  README: ["Node 20.19, or 22.12 and later", "2.16 to 2.21"],
  cluster: ["have at most 1 MiB", "`max_payload` (1 MiB"],
  "02": ["32 demonstrations make each example 30 times longer"],
  "10": [
    "one A100 of 80 GB",
    "arXiv 2506.21833",
    "31.1 % more accurate, converges 34.8 % faster and needs 3.8 times fewer",
  ],
  "15": ["20,000 steps take under 0.1 MB", "transformers 5.23"],
  "16": ["at most 500 MiB", "given with 80 %, are 80 % right"],
  "17": ["Qwen2 and 2.5"],
  "19": [
    "FZOO (2506.09034): three times fewer forward passes than MeZO and 3 points more, on RoBERTa-large 18 times fewer",
    "LOZO (2410.07698)",
    "Sparse-MeZO (2402.15751): 3.5 times as fast on RTE, 9 points more",
    "ConMeZO (2511.02757)",
    "evolution strategies (2509.24372)",
  ],
};
