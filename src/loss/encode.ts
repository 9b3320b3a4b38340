import seedrandom from "seedrandom";
import { KitError } from "../error.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Example, Form, Forms } from "../tasks/task.ts";
import { type EncodeMaskedOptions, encodeMasked, encodeUnmasked, type MaskedPrompt } from "../text/maskedPrompt.ts";
import { type EncodedExample, encodePrompt, encodeText } from "../text/prompt.ts";

/** Which begin token: "mezo", 0 as the paper's code sets it, or "config", the one that the model's config names. */
export type Begin = "mezo" | "config";

/** Throws a KitError for a begin token that is neither. */
export function checkBegin(begin: Begin): void {
  if (begin !== "mezo" && begin !== "config")
    throw new KitError(`There is no begin token "${begin}": choose mezo or config.`);
}

/** Examples as token ids, the indices of the right candidates of each (training aims at the first), and the examples themselves. */
export interface LabelledBatch {
  readonly examples: readonly EncodedExample[];
  readonly gold: readonly (readonly number[])[];
  readonly texts: readonly Example[];
  /** Which begin token the ids have. */
  readonly begin: Begin;
}

/** An example's candidates as token ids, in the form that the model takes, after the demonstrations given. */
export function encodeExample(
  model: LanguageModel,
  example: Forms,
  begin: Begin,
  demonstrations: readonly string[] = [],
): EncodedExample {
  if (model.prompts === "masked") {
    const masked = maskedOptions(model, readForm(example, "masked"), begin);
    return model.classes === undefined
      ? encodeMasked(masked)
      : classified(model.classes, encodeUnmasked(masked), 0, masked);
  }
  const { tokenizer, maxLength } = model;
  const form = readForm(example, "autoregressive");
  const shown = { tokenizer, begin: model.begin[begin], maxLength, demonstrations, ...form };
  if (model.classes === undefined) return encodePrompt(shown);
  const ids = encodeText(shown);
  return classified(model.classes, ids, ids.length - 1, shown);
}

/** A text that a classifier reads at one token: its answers are the options' places. Throws a KitError where it has not as many. */
function classified(
  classes: number,
  ids: Int32Array,
  at: number,
  { options }: { readonly options: readonly string[] },
): EncodedExample {
  if (options.length !== classes)
    throw new KitError(
      `A classifier of ${classes} classes was given an example with ${options.length} options: make it with classes: ${options.length}.`,
    );
  return { candidates: [], shared: { ids, at, answers: [...options.keys()] } };
}

/** Examples without demonstrations, with their right answers. */
export function encodeBatch(model: LanguageModel, examples: readonly Example[], begin: Begin): LabelledBatch {
  return {
    examples: examples.map((example) => encodeExample(model, example, begin)),
    gold: examples.map(({ gold }) => gold),
    texts: examples,
    begin,
  };
}

/** The form of an example for a kind of model. Throws a KitError where its task has none. */
export function readForm<Kind extends "masked" | "autoregressive">(
  example: Forms,
  kind: Kind,
): NonNullable<Forms[Kind]> {
  const form = example[kind];
  if (form) return form;
  const other = kind === "masked" ? "autoregressive models (Table 14)" : "masked models (Table 13)";
  throw new KitError(`The model is ${kind}, but the task has prompts for ${other} only: choose another model or task.`);
}

/** What a masked prompt is encoded from. Throws a KitError where the model lacks one of the tokens. */
function maskedOptions(model: LanguageModel, form: Form<MaskedPrompt>, begin: Begin): EncodeMaskedOptions {
  const { tokenizer, maxLength } = model;
  const { mask, separator } = tokenizer.special;
  const [first, end] = [model.begin[begin], model.ends[0] ?? separator];
  if (mask === undefined || first === undefined || end === undefined)
    throw new KitError(
      `${model.id} needs a mask token in its tokenizer, and a begin and an end token there or in its config, to fill masks, and one of them is missing: complete them.`,
    );
  const prompt = { ...form.prompt, maxLength: Math.min(form.prompt.maxLength, maxLength) };
  return { tokenizer, begin: first, end, mask, prompt, options: form.options };
}

/**
 * Batches without end: the examples are reshuffled for every pass over them, and a pass ends with a shorter batch where the size
 * does not divide it, as the authors' loader does. Batch `step` depends on seed and step alone.
 */
export function batches(part: LabelledBatch, size: number, seed: number): (step: number) => LabelledBatch {
  const total = part.examples.length;
  const perEpoch = Math.ceil(total / size);
  let epoch = -1;
  let order: readonly number[] = [];
  return (step) => {
    if (Math.floor(step / perEpoch) !== epoch) {
      epoch = Math.floor(step / perEpoch);
      order = shuffle([...Array(total).keys()], `batches/${seed}/${epoch}`);
    }
    const at = (step % perEpoch) * size;
    return pickRows(part, order.slice(at, at + size));
  };
}

/** A batch in parts of at most `size` examples, in order. */
export function splitBatch(batch: LabelledBatch, size: number): LabelledBatch[] {
  const indices = [...batch.examples.keys()];
  return Array.from({ length: Math.ceil(indices.length / size) }, (_, i) =>
    pickRows(batch, indices.slice(i * size, (i + 1) * size)),
  );
}

function pickRows({ examples, gold, texts, begin }: LabelledBatch, rows: readonly number[]): LabelledBatch {
  return {
    examples: rows.map((i) => examples[i]!),
    gold: rows.map((i) => gold[i]!),
    texts: rows.map((i) => texts[i]!),
    begin,
  };
}

/** A copy of the items in an order that the seed alone decides (Fisher–Yates on seedrandom's Alea generator). */
export function shuffle<Item>(items: readonly Item[], seed: string): Item[] {
  const random = seedrandom.alea(seed);
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}
