import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { settingsFor } from "../../src/notebook/runs.ts";
import { readUnfinished } from "../../src/record/read.ts";
import { makeExamples } from "../../src/tasks/examples.ts";
import { findTask } from "../../src/tasks/index.ts";
import { readRows } from "../../src/tasks/read/folder.ts";
import { loadTokenizer } from "../../src/text/tokenizer.ts";
import { requestFrom } from "../cli/request.ts";
import { layouts } from "../tasks/layouts.ts";
import type { Reader, Sample } from "./fuzz.ts";
import { modelReaders } from "./modelReaders.ts";
import {
  COMPACT_JSON,
  compactOf,
  MERGES_TXT,
  PARQUET,
  RUN,
  sealedCompact,
  sealedRun,
  TOKENIZERS,
  VOCAB,
} from "./samples.ts";

const CSV = 'sentence,label\n"a ""fine"", long\nfilm",1\ndull,0\n"",1\n';
const ROWS = [
  { sentence: "a fine film", label: 1, answers: { text: ["x"], answer_start: [3] } },
  { sentence: "dull", label: -1 },
];
const LINES = `${ROWS.map((row) => JSON.stringify(row)).join("\n\n")}\n`;

const gz = (name: string, bytes: Buffer | string): Sample[] => [
  { name: `a-${name}.gz`, bytes: gzipSync(bytes) },
  { name: `b-${name}.gz`, bytes, seal: (damaged) => gzipSync(damaged, { level: 1 }) },
];

const dataReaders: readonly Reader[] = [
  {
    name: "tsv",
    samples: [
      { name: "a.tsv", bytes: 'sentence\tlabel\na "fine film\t1\r\ndull\t0\n' },
      { name: "b.tsv", bytes: "index\tsentence1\tsentence2\tlabel1\tgold_label\n0\ta\tb\tx\ty\tneutral\n1\tc\td\te\n" },
    ],
    read: readRows,
  },
  {
    name: "csv",
    samples: [
      { name: "a.csv", bytes: CSV },
      { name: "b.csv", bytes: '3,"a ""fine"", film"\n0,bad\n' },
    ],
    read: readRows,
  },
  { name: "jsonl", samples: [{ name: "a.jsonl", bytes: LINES }], read: readRows },
  {
    name: "json",
    samples: [
      { name: "a.json", bytes: JSON.stringify(ROWS) },
      { name: "b.json", bytes: JSON.stringify({ version: "1.1", data: ROWS }, null, 1) },
      { name: "c.json", bytes: JSON.stringify({ one: ROWS[0], two: ROWS[1] }) },
    ],
    read: readRows,
  },
  {
    name: "label-text",
    samples: [
      { name: "a.txt", bytes: "4 a b  c\n\nDESC:manner How ?\n" },
      { name: "stsa.fine.train", bytes: "4 a -lrb- b -rrb-\r\n0 bad\r\n" },
    ],
    read: readRows,
  },
  { name: "parquet", samples: [{ name: "a.parquet", bytes: PARQUET }], read: readRows },
  { name: "gz", samples: [...gz("c.csv", CSV), ...gz("l.jsonl", LINES), ...gz("p.parquet", PARQUET)], read: readRows },
  {
    name: "task-fields",
    samples: layouts.map(({ task, record }, i) => ({ name: `${i}/${task}.json`, bytes: JSON.stringify([record]) })),
    read: async (path) => makeExamples(findTask(/([^/\\]+)\.json$/.exec(path)![1]!), await readRows(path)),
  },
];

const runReaders: readonly Reader[] = [
  {
    name: "run",
    samples: [
      { name: "a.jsonl", bytes: RUN },
      { name: "b.jsonl", bytes: RUN, seal: sealedRun },
    ],
    read: readUnfinished,
  },
  {
    name: "compact-run",
    samples: [
      { name: "a.mezo", bytes: compactOf(Buffer.from(COMPACT_JSON)) },
      { name: "b.mezo", bytes: compactOf(Buffer.from(COMPACT_JSON)), seal: sealedCompact },
      { name: "c.mezo", bytes: COMPACT_JSON, seal: compactOf },
    ],
    read: readUnfinished,
  },
];

/** The first id after the vocabulary. */
const FIRST = Object.keys(VOCAB).length;

function tokenize(folder: string): void {
  const tokenizer = loadTokenizer(folder);
  tokenizer.decode(tokenizer.encode("a great\n\n <mask> film</s>"));
}

/** Readers of tokenizers. */
export const tokenizerReaders: readonly Reader[] = [
  {
    name: "tokenizer",
    samples: Object.entries(TOKENIZERS).map(([name, json]) => ({
      name: `${name}/tokenizer.json`,
      bytes: JSON.stringify(json),
    })),
    read: (path) => tokenize(dirname(path)),
  },
  {
    name: "vocab-merges",
    samples: [
      { name: "vocab.json", bytes: JSON.stringify(VOCAB) },
      { name: "merges.txt", bytes: MERGES_TXT },
      { name: "added_tokens.json", bytes: JSON.stringify({ "<extra>": FIRST, "<more>": FIRST + 1 }) },
      {
        name: "tokenizer_config.json",
        bytes: JSON.stringify({
          ...{ add_prefix_space: false, bos_token: "<s>", tokenizer_class: "GPT2Tokenizer" },
          added_tokens_decoder: { [FIRST]: { content: "<extra>", lstrip: true, rstrip: false, special: true } },
        }),
      },
      {
        name: "special_tokens_map.json",
        bytes: '{"bos_token": "<s>", "mask_token": {"content": "<mask>", "lstrip": true}}',
      },
    ],
    read: (path) => tokenize(dirname(path)),
  },
  {
    name: "vocab-txt",
    samples: [
      { name: "vocab.txt", bytes: "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ngreat\nfil\n##m\n<\n>\n" },
      {
        name: "tokenizer_config.json",
        bytes:
          '{"do_lower_case": false, "strip_accents": null, "cls_token": "[CLS]", "mask_token": {"content": "[MASK]"}}',
      },
    ],
    read: (path) => tokenize(dirname(path)),
  },
];

/** Runs what would end the process for a help that was asked for. */
function withoutExit(run: () => void): void {
  const { exit } = process;
  const left = new Error("the process was to end");
  process.exit = () => {
    throw left;
  };
  try {
    run();
  } catch (error) {
    if (error !== left) throw error;
  } finally {
    process.exit = exit;
  }
}

const ARGUMENTS = [
  ["--model", "opt-reviews", "--task", "SST-2,RTE", "--data", "samples", "--train", "10", "--dev=5", "--test", "5"],
  ["--method", "mezo,ft-lora,zero-shot", "--seeds", "1,2", "--lr", "mezo=1e-4,ft-lora=1e-3", "--eps", "1e-3"],
  ["--steps", "mezo=20", "--batch-size", "8", "--k", "16", "--shots", "4", "--demonstrations", "fixed", "--smoke"],
  ["--weights", "float16", "--rounding", "nearest", "--backend", "native", "--threads", "2", "--resume"],
  ["--schedule", "linear", "--weight-decay", "0.1", "--noise", "rademacher", "--begin", "config", "--out", "runs"],
];

const optionReaders: readonly Reader[] = [
  {
    name: "arguments",
    samples: ARGUMENTS.map((list, i) => ({ name: `${i}.txt`, bytes: list.join("\n") })),
    read: (path) => withoutExit(() => requestFrom(readFileSync(path, "utf8").split("\n"))),
  },
  {
    name: "notebook-settings",
    samples: [{ name: "settings.json", bytes: '{"steps": 20, "lr": 1e-4, "seeds": [1, 2]}' }],
    read: (path) => {
      process.env.MEZO_SETTINGS = readFileSync(path, "utf8").replaceAll("\0", "");
      try {
        settingsFor("smoke", { smoke: {}, laptop: {}, paper: {} });
      } finally {
        delete process.env.MEZO_SETTINGS;
      }
    },
  },
];

/** Readers of data, runs and settings. */
export const fileReaders: readonly Reader[] = [...dataReaders, ...runReaders, ...optionReaders];

/** Everything of the kit that reads what others wrote. */
export const readers: readonly Reader[] = [...fileReaders, ...tokenizerReaders, ...modelReaders];
