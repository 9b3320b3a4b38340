import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { loadAdapter, savedAdapter } from "../../src/adapters/peft.ts";
import { openCheckpoint } from "../../src/checkpoints/folder.ts";
import { resolveModel } from "../../src/checkpoints/hub/resolve.ts";
import { readTensor } from "../../src/checkpoints/safetensors.ts";
import { openSafetensors } from "../../src/checkpoints/safetensorsHeader.ts";
import { openModel } from "../../src/models/load.ts";
import { type LoadedNetwork, loadNetwork } from "../../src/models/network.ts";
import { opt } from "../../src/models/opt.ts";
import { packBatch } from "../../src/nn/batch.ts";
import { features } from "../../src/nn/run.ts";
import { torchOld, torchPickle, torchZip } from "../checkpoints/torchFiles.ts";
import type { Reader, Sample } from "./fuzz.ts";
import { CONFIGS, namedOf, safetensors, tensorsOf, weightsOf } from "./samples.ts";
import { padded, tinyGguf } from "./tinyGguf.ts";

const NAMES = ["opt", "roberta", "llama", "mistral", "qwen2", "qwen3", "gpt2", "bert"] as const;

/** Loads a model, with a pass over a few tokens: what a config says wrongly must not first be noticed, or never, when it is used. */
function loadAndRun(folder: string): void {
  const network = loadNetwork(openCheckpoint(folder));
  try {
    const ids = [0, 1, 2];
    const values = tf.tidy(() => features(network, packBatch([ids]), [...ids.keys()]).dataSync());
    if (!values.every(Number.isFinite)) throw new Error("the model was loaded, but what it computes is not finite");
  } finally {
    network.dispose();
  }
}

const configReaders: readonly Reader[] = NAMES.map((name) => ({
  name: `config-${name}`,
  samples: [{ name: "config.json", bytes: JSON.stringify(CONFIGS[name], null, 1) }],
  beside: [{ name: "model.safetensors", bytes: weightsOf(CONFIGS[name]) }],
  read: (path) => loadAndRun(dirname(path)),
}));

const generationReader: Reader = {
  name: "generation-config",
  samples: [{ name: "generation_config.json", bytes: '{"bos_token_id": 1, "eos_token_id": [2, 3], "max_length": 8}' }],
  beside: [
    { name: "config.json", bytes: JSON.stringify(CONFIGS.llama) },
    { name: "model.safetensors", bytes: weightsOf(CONFIGS.llama) },
  ],
  read: (path) => loadAndRun(dirname(path)),
};

function readAll(path: string): void {
  const file = openSafetensors(path);
  for (const name of file.tensors.keys()) readTensor(file, name);
}

const WEIGHTS = tensorsOf([
  ["a.weight", [2, 3]],
  ["a.bias", [2]],
  ["é", []],
]);

const SHARDS = [...opt.shapes(CONFIGS.opt)];
const shard = (name: string, from: number, to: number): Sample => {
  const { header, data } = tensorsOf(SHARDS.slice(from, to));
  return { name, bytes: safetensors(header, data) };
};
const WEIGHT_MAP = Object.fromEntries(
  SHARDS.map(([name], i) => [name, i < 4 ? "model-1.safetensors" : "model-2.safetensors"]),
);

const weightReaders: readonly Reader[] = [
  {
    name: "safetensors",
    samples: [
      { name: "a.safetensors", bytes: safetensors(WEIGHTS.header, WEIGHTS.data) },
      { name: "b.safetensors", bytes: WEIGHTS.header, seal: (header) => safetensors(header, WEIGHTS.data) },
    ],
    read: readAll,
  },
  {
    name: "safetensors-index",
    samples: [
      { name: "model.safetensors.index.json", bytes: JSON.stringify({ metadata: {}, weight_map: WEIGHT_MAP }) },
      shard("model-1.safetensors", 0, 4),
      shard("model-2.safetensors", 4, SHARDS.length),
    ],
    beside: [{ name: "config.json", bytes: JSON.stringify(CONFIGS.opt) }],
    read: (path) => loadNetwork(openCheckpoint(dirname(path))).dispose(),
  },
  torchReader(),
];

/** A model in PyTorch's file, in each of its layouts, and as one of which the pickle alone is damaged. */
function torchReader(): Reader {
  const tensors = namedOf(SHARDS);
  const named = (folder: string, bytes: Buffer): Sample => ({ name: `${folder}/pytorch_model.bin`, bytes });
  const layouts = ["zip", "deflated", "old", "pickle"];
  return {
    name: "torch",
    samples: [
      named("zip", torchZip(tensors)),
      named("deflated", torchZip(tensors, { level: 6 })),
      named("old", torchOld(tensors)),
      { ...named("pickle", torchPickle(tensors)), seal: (pickled) => torchZip(tensors, { pickled }) },
    ],
    beside: layouts.map((folder) => ({ name: `${folder}/config.json`, bytes: JSON.stringify(CONFIGS.opt) })),
    read: (path) => loadNetwork(openCheckpoint(dirname(path))).dispose(),
  };
}

const GGUF = tinyGguf();

/** Opens a GGUF file with its tokenizer, loads its weights and runs them; what they hold may be anything. */
async function loadGguf(path: string): Promise<void> {
  const { checkpoint, tokenizer } = await openModel(path);
  tokenizer.decode(tokenizer.encode("a great\n\n <mask> film</s>"));
  const network = loadNetwork(checkpoint);
  try {
    tf.tidy(() => features(network, packBatch([[0, 1, 2]]), [0, 1, 2]).dataSync());
  } finally {
    network.dispose();
  }
}

const ggufReader: Reader = {
  name: "gguf",
  samples: [
    { name: "whole.gguf", bytes: GGUF.bytes },
    { name: "header.gguf", bytes: GGUF.header, seal: (header) => Buffer.concat([padded(header), GGUF.data]) },
  ],
  read: loadGguf,
};

const LORA = {
  ...{ peft_type: "LORA", base_model_name_or_path: "org/tiny", task_type: "CAUSAL_LM", r: 2, lora_alpha: 4 },
  ...{ lora_dropout: 0, bias: "none", fan_in_fan_out: false, init_lora_weights: true, modules_to_save: null },
  ...{ target_modules: ["q_proj", "v_proj"], use_rslora: false, alpha_pattern: {}, rank_pattern: {} },
};
const PREFIX = {
  ...{ peft_type: "PREFIX_TUNING", base_model_name_or_path: "org/tiny", task_type: "CAUSAL_LM", num_virtual_tokens: 2 },
  ...{ token_dim: 4, num_transformer_submodules: 1, num_attention_heads: 2, num_layers: 1, prefix_projection: false },
};
const LORA_TENSORS = tensorsOf(
  ["q_proj", "v_proj"].flatMap((name): [string, number[]][] => {
    const at = `base_model.model.model.decoder.layers.0.self_attn.${name}`;
    return [
      [`${at}.lora_A.weight`, [2, 4]],
      [`${at}.lora_B.weight`, [4, 2]],
    ];
  }),
);
const PREFIX_SHAPES = [["prompt_embeddings", [2, 8]]] as const;
const PREFIX_TENSORS = tensorsOf(PREFIX_SHAPES);

function adapterFiles(kind: string, config: object, { header, data }: { header: Buffer; data: Buffer }): Sample[] {
  return [
    { name: `${kind}/adapter_config.json`, bytes: JSON.stringify(config) },
    { name: `${kind}/adapter_model.safetensors`, bytes: safetensors(header, data) },
  ];
}

/** Loads an adapter for the tiny OPT that lies beside it, and runs with it. */
function loadAdapterAndRun(folder: string): void {
  const network: LoadedNetwork = loadNetwork(openCheckpoint(join(dirname(folder), "model")));
  try {
    savedAdapter(folder);
    const { adaptation, dispose } = loadAdapter(folder, network);
    tf.tidy(() => features({ ...network, adaptation }, packBatch([[0, 1, 2]]), [0, 1, 2]).dataSync());
    dispose();
  } finally {
    network.dispose();
  }
}

const adapterReader: Reader = {
  name: "peft",
  samples: [
    ...adapterFiles("lora", LORA, LORA_TENSORS),
    ...adapterFiles("prefix", PREFIX, PREFIX_TENSORS),
    { name: "pickled/adapter_model.bin", bytes: torchZip(namedOf(PREFIX_SHAPES)) },
  ],
  beside: [
    { name: "model/config.json", bytes: JSON.stringify(CONFIGS.opt) },
    { name: "model/model.safetensors", bytes: weightsOf(CONFIGS.opt) },
    { name: "pickled/adapter_config.json", bytes: JSON.stringify(PREFIX) },
  ],
  read: (path) => loadAdapterAndRun(dirname(path)),
};

const MODEL_FILES = ["config.json", "model.safetensors"];

/** What a hub answers to the requests of a download, each a file in the folder; a range of it where that is asked for. */
function answerOf(folder: string, url: string, range: string | null): Response {
  const name =
    MODEL_FILES.find((file) => url.includes("/resolve/") && url.includes(file)) ??
    (url.includes("/tree/") ? "tree.json" : "info.json");
  const bytes = new Uint8Array(readFileSync(join(folder, name)));
  const headers = { "Content-Type": "application/json", ETag: '"e"' };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (from === undefined) return new Response(bytes, { headers: { ...headers, "Content-Length": `${bytes.length}` } });
  const part = bytes.subarray(Number(from), to ? Number(to) + 1 : bytes.length);
  const places = `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}`;
  return new Response(part, { status: 206, headers: { ...headers, "Content-Range": places } });
}

async function download(folder: string): Promise<void> {
  const cache = mkdtempSync(join(tmpdir(), "fuzz-cache-"));
  const [{ fetch }, environment] = [globalThis, { ...process.env }];
  Object.assign(process.env, { HF_ENDPOINT: "http://hub.invalid", HF_HUB_CACHE: cache });
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    return answerOf(folder, request.url, request.headers.get("Range"));
  };
  try {
    await resolveModel("org/tiny", { wait: async () => {} });
  } finally {
    globalThis.fetch = fetch;
    process.env = environment;
    rmSync(cache, { recursive: true, force: true });
  }
}

const CONTENT = "12345";
const BLOB = createHash("sha1").update(`blob ${CONTENT.length}\0${CONTENT}`).digest("hex");

const hubReader: Reader = {
  name: "hub",
  samples: [
    { name: "info.json", bytes: JSON.stringify({ _id: "1", id: "org/tiny", sha: "a".repeat(40), private: false }) },
    {
      name: "tree.json",
      bytes: JSON.stringify(MODEL_FILES.map((path) => ({ type: "file", path, size: CONTENT.length, oid: BLOB }))),
    },
    { name: "config.json", bytes: CONTENT },
  ],
  beside: [{ name: "model.safetensors", bytes: CONTENT }],
  read: (path) => download(dirname(path)),
};

/** Readers of models, adapters and what comes from the hub. */
export const modelReaders: readonly Reader[] = [
  ...configReaders,
  generationReader,
  ...weightReaders,
  ggufReader,
  adapterReader,
  hubReader,
];
