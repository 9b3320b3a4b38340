import * as library from "@huggingface/tokenizers";
import { KitError, shown } from "../error.ts";

/** One part of tokenizer.json: a normalizer or a pre-tokenizer, by its type, with its settings. */
export interface Part {
  readonly type: string;
  readonly [setting: string]: unknown;
}

/** What makes a part of each type. */
export type Makers<T> = Readonly<Record<string, (part: Part, at: string) => T>>;

/**
 * What a part of tokenizer.json does, by the makers of what is computed; `at` names it in errors. Throws a KitError for a type that is
 * not among them: another tokenizer's ids would be wrong without a word.
 */
export function makePart<T>(makers: Makers<T>, part: unknown, at: string): T {
  const type: unknown = (part as Part | null)?.type;
  if (typeof type === "string" && Object.hasOwn(makers, type)) return makers[type]!(part as Part, at);
  throw notComputed(`${at} of type ${shown(type)}`, `it knows ${Object.keys(makers).join(", ")}`);
}

/** The error for a part of a tokenizer that would give other ids than in Python. */
export function notComputed(what: string, known: string): KitError {
  return new KitError(
    `The tokenizer has ${what}, which the kit does not compute: ${known}; use a model with another tokenizer.`,
  );
}

/** The parts of a sequence, each with its name. */
export function partsOf<T>(makers: Makers<T>, list: unknown, at: string): T[] {
  if (!Array.isArray(list)) throw notComputed(`${at} of type "Sequence" without a list`, "it needs one");
  return list.map((part) => makePart(makers, part, at));
}

/** The library's class that translates patterns; its own declarations do not resolve under Node's module rules. */
const { ReplaceNormalizer } = library as unknown as {
  ReplaceNormalizer: new (part: object) => { readonly pattern: RegExp };
};

/** A part's pattern, a text or one of Oniguruma's expressions, as an expression of JavaScript's. Throws a KitError where it cannot be translated. */
export function patternOf({ type, pattern }: Part, at: string): RegExp {
  const { String: text, Regex: expression } = (pattern ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof text === "string" || typeof expression === "string")
    try {
      return new ReplaceNormalizer({ pattern }).pattern;
    } catch {
      // Told below.
    }
  throw notComputed(`${at} of type "${type}" with the pattern ${shown(pattern)}`, "it needs another pattern");
}
