import { isObject } from "../checkpoints/json.ts";
import { KitError, shown } from "../error.ts";
import { notComputed } from "./part.ts";
import type { Json, TokenizerFiles } from "./tokenizerFiles.ts";
import { readMerges, readVocabulary, type Vocabulary } from "./vocabulary.ts";

/** The kinds of models, and the settings of each that would change ids and are not computed. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  BPE: ["dropout", "continuing_subword_prefix"],
  Unigram: ["byte_fallback"],
  WordPiece: [],
  WordLevel: [],
};

/** The model of tokenizer.json, with a vocabulary and merges that are sound. Throws a KitError for what is damaged, and for what is not computed. */
export function readModel({ path, mergesPath, json }: TokenizerFiles): {
  readonly model: Json;
  readonly vocabulary: Vocabulary;
} {
  const model = isObject(json.model) ? json.model : {};
  const vocabulary = readVocabulary(path, vocabOf(path, model));
  const kind = kindOf(model);
  const { unk_token: unknown } = model;
  if (typeof unknown === "string" && !vocabulary.has(unknown))
    throw new KitError(
      `Reading ${path}: its unk_token ${shown(unknown)} is no token; get the file again from where the model came from.`,
    );
  const merges = kind === "BPE" && { merges: readMerges(mergesPath, model.merges, vocabulary) };
  return { model: { ...model, type: kind, ...merges }, vocabulary };
}

/** The model's type, which older files leave out. */
function kindOf(model: Json): string {
  const { type = Array.isArray(model.vocab) ? "Unigram" : model.merges ? "BPE" : "WordPiece" } = model;
  if (typeof type !== "string" || !Object.hasOwn(REFUSED, type))
    throw notComputed(`a model of type ${shown(type)}`, `it knows ${Object.keys(REFUSED).join(", ")}`);
  const asked = REFUSED[type]!.find((setting) => model[setting]);
  if (asked) throw notComputed(`the setting ${asked} in its ${type} model`, "it knows models without");
  return type;
}

/** Ids by token; a Unigram model has a list of tokens with their scores, in the ids' order. */
function vocabOf(path: string, { vocab }: Json): object {
  if (Array.isArray(vocab) && vocab.every((entry) => Array.isArray(entry) && typeof entry[0] === "string"))
    return Object.fromEntries(vocab.map(([token], id) => [token, id]));
  if (isObject(vocab)) return vocab;
  throw new KitError(
    `Reading ${path}: it must be a tokenizer, but has no vocabulary; get the file again from where the model came from.`,
  );
}
