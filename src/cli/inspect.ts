import { basename, dirname } from "node:path";
import { Command } from "commander";
import { type Inspection, inspectModel } from "../models/inspect.ts";
import { terminalProgress } from "../report/progress.ts";
import { mebibytes, numberColumns, toText, whole } from "../report/table.ts";

const EXAMPLES = `
Examples:
  npx mezo inspect                              the bundled OPT
  npx mezo inspect facebook/opt-125m            downloaded where it is not in the cache
  npx mezo inspect path/to/folder --all
  npx mezo inspect model.gguf --json`;

interface InspectOptions {
  readonly revision?: string;
  readonly all: boolean;
  readonly json: boolean;
}

/** The command that says what a model's files hold. */
export const makeInspectCommand = (): Command =>
  new Command("inspect")
    .description(
      "Says what a model's files hold, without loading its weights: tensors, config, tokenizer and chat template, and why the kit would refuse it, where it would.",
    )
    .summary("says what a model's files hold, and whether the kit loads it")
    .argument("[model]", "a folder, a weight file, a hub id or a bundled model (default: opt-reviews)")
    .option("--revision <name>", "of a model on the hub: a branch, tag or commit (default: main)")
    .option("--all", "every tensor by itself, and the whole chat template", false)
    .option("--json", "as JSON, with every tensor", false)
    .addHelpText("after", EXAMPLES)
    .action(inspect);

async function inspect(model: string | undefined, { revision, all, json }: InspectOptions): Promise<void> {
  const progress = terminalProgress();
  try {
    const found = await inspectModel(model, { revision, onProgress: progress.report });
    progress.stop();
    process.stdout.write(`${json ? JSON.stringify(found, null, 2) : inspectionText(found, all)}\n`);
  } finally {
    progress.stop();
  }
}

/** What was found: a line a subject, then the tensors. */
function inspectionText(found: Inspection, all: boolean): string {
  const lines = SUBJECTS.map(([name, text]) => [name, text(found, all)]);
  const columns = ["", ""].map((name) => ({ name, align: "left" }) as const);
  const facts = toText({
    columns: [columns[0]!, { ...columns[1]!, width: 100 }],
    rows: lines.filter(([, text]) => text !== "") as string[][],
  });
  return [facts, "", tensorsText(found, all), ...templateLines(found, all)].join("\n");
}

const SUBJECTS: readonly (readonly [name: string, text: (found: Inspection, all: boolean) => string])[] = [
  ["Model", ({ id, revision }) => (revision === undefined ? id : `${id}, commit ${revision}`)],
  ["Files", filesText],
  ["Family", familyText],
  ["Config", configText],
  ["Tokens", limitsText],
  ["Tokenizer", tokenizerText],
  ["Template", ({ tokenizer }) => (tokenizer && tokenizer.chatTemplate === undefined ? "no chat template" : "")],
  ["The kit", ({ refusals }) => (refusals.length > 0 ? `refuses it: ${refusals.join(" ")}` : "loads it.")],
];

function filesText({ files }: Inspection): string {
  const list = files.slice(0, 3).map(({ path, bytes }) => `${basename(path)} ${mib(bytes)}`);
  const rest = files.length > 3 ? [`and ${files.length - 3} more`] : [];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return `${[...list, ...rest].join(", ")}${files.length > 1 ? `, ${mib(total)} together` : ""}; in ${dirname(files[0]!.path)}`;
}

const mib = (bytes: number): string => `${mebibytes(bytes).toFixed(1)} MiB`;

function familyText({ config, network }: Inspection): string {
  const type = String(config.model_type ?? "not said in its config");
  return network ? `${type}, ${network.prompts === "masked" ? "fills masks" : "continues texts"}` : type;
}

/** The fields that say what a model is, by the names that families have for them. */
const ESSENTIAL =
  /^(hidden_size|n_embd|word_embed_proj_dim|num_hidden_layers|n_layer|num_attention_heads|n_head|num_key_value_heads|head_dim|intermediate_size|n_inner|ffn_dim|vocab_size|max_position_embeddings|n_positions|hidden_act|activation_function|rope_theta|rope_scaling|rope_parameters|sliding_window|tie_word_embeddings|torch_dtype|dtype|quantization_config)$/;

function configText({ config }: Inspection): string {
  const fields = Object.entries(config).filter(([name, value]) => ESSENTIAL.test(name) && value !== null);
  return fields
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(", ");
}

function limitsText({ network }: Inspection): string {
  if (!network) return "";
  const { maxLength, begin, ends } = network;
  const own =
    begin.mezo === begin.config
      ? beginText(begin.config)
      : `${beginText(begin.config)} (${begin.mezo ?? "none"} in the paper's code)`;
  const last = ends.length === 0 ? "no end token" : `end ${ends.length > 1 ? "tokens" : "token"} ${ends.join(", ")}`;
  return `reads ${whole(maxLength)} at most; ${own}, ${last}`;
}

const beginText = (id: number | undefined): string => (id === undefined ? "no begin token" : `begin token ${id}`);

function tokenizerText({ tokenizer }: Inspection): string {
  if (!tokenizer) return "";
  const special = tokenizer.specialTokens.slice(0, MOST_SPECIAL).map(({ text, id, names }) => {
    const roles = names.map((name) => name.replace(/_token$/, ""));
    return `${text} ${id}${roles.length > 0 ? ` (${roles.join(", ")})` : ""}`;
  });
  const left = tokenizer.specialTokens.length - special.length;
  const list = [...special, ...(left > 0 ? [`${left} more`] : [])].join(", ");
  return `${tokenizer.kind}, ${whole(tokenizer.size)} tokens${list === "" ? "" : `; special: ${list}`}`;
}

/** Special tokens that are shown; some models have hundreds. */
const MOST_SPECIAL = 12;

/** Lines of a chat template that are shown where not all are asked for. */
const TEMPLATE_LINES = 6;

function templateLines({ tokenizer }: Inspection, all: boolean): string[] {
  if (tokenizer?.chatTemplate === undefined) return [];
  const lines = tokenizer.chatTemplate
    .split("\n")
    .map((line) => (all || line.length <= 160 ? line : `${line.slice(0, 160)}…`));
  const shown = all ? lines : lines.slice(0, TEMPLATE_LINES);
  const left = lines.length - shown.length;
  return [
    "",
    "Chat template:",
    ...shown.map((line) => `  ${line}`),
    ...(left > 0 ? [`  … ${left} more lines (--all)`] : []),
  ];
}

/** Tensors of one name but for the layer's number. */
interface TensorGroup {
  readonly name: string;
  readonly kind: string;
  readonly layers: number[];
  size: number;
}

function tensorsText({ tensors }: Inspection, all: boolean): string {
  const groups = groupTensors(tensors, all);
  const total = tensors.reduce((sum, { size }) => sum + size, 0);
  const rows = groups.map(({ name, kind, layers, size }) => [name, layersText(layers), kind, whole(size)]);
  const sum = ["all", "", `${whole(tensors.length)} tensors`, whole(total)];
  const [first, ...others] = numberColumns(["tensor", "layers", "dtype and shape", "numbers"]);
  return toText({ columns: [first!, ...others], rows: [...rows, sum] });
}

/** The tensors in their order, those that layers have in common together. */
function groupTensors(tensors: Inspection["tensors"], all: boolean): TensorGroup[] {
  const groups = new Map<string, TensorGroup>();
  for (const { name, dtype, shape, size } of tensors) {
    const kind = `${dtype} [${shape.join(", ")}]`;
    const layer = all ? undefined : /(?<=\.|^)\d+(?=\.)/.exec(name);
    const plain = layer ? `${name.slice(0, layer.index)}*${name.slice(layer.index + layer[0].length)}` : name;
    const group = groups.get(`${plain} ${kind}`) ?? { name: plain, kind, layers: [], size: 0 };
    groups.set(`${plain} ${kind}`, group);
    if (layer) group.layers.push(Number(layer[0]));
    group.size += size;
  }
  return [...groups.values()];
}

/** "0–11", or "0–3, 5" where numbers are missing. */
function layersText(layers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const layer of layers.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && layer === last[1] + 1) last[1] = layer;
    else runs.push([layer, layer]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}
