import { KitError, shown } from "../error.ts";
import type { AddedToken } from "./addedTokens.ts";

/** The tokens of a model and their ids. */
export type Vocabulary = ReadonlyMap<string, number>;

/** Ids beyond this many for each token are taken for damage. */
const IDS_PER_TOKEN = 16;
const SPARE_IDS = 100_000;

/** The vocabulary that a JSON object holds. Throws a KitError, which names the file and the id, for ids that are none, too large or used twice. */
export function readVocabulary(path: string, found: object): Vocabulary {
  const vocabulary = new Map(Object.entries(found));
  const most = IDS_PER_TOKEN * vocabulary.size + SPARE_IDS;
  const owners = new Map<number, string>();
  for (const [token, id] of vocabulary) {
    const named = `Reading ${path}: the token ${shown(token)} has the id ${shown(id)}`;
    const other = owners.get(id);
    if (!Number.isSafeInteger(id) || id < 0)
      throw new KitError(`${named}, which is no whole number from 0 on; ${AGAIN}.`);
    if (id > most) throw new KitError(`${named}, far more than its ${vocabulary.size} tokens need; ${AGAIN}.`);
    if (other !== undefined) throw new KitError(`${named}, which ${shown(other)} has too; ${AGAIN}.`);
    owners.set(id, token);
  }
  return vocabulary;
}

const AGAIN = "get the file again from where the model came from";

/** The lines of a merges.txt as pairs; its first may state a version. */
export function mergesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  return (lines[0]!.startsWith("#version") ? lines.slice(1) : lines).filter((line) => line !== "");
}

/** The merges of byte-pair encoding as pairs, each given as one or as a text with a space. Throws a KitError for one that is none, or makes what is no token. */
export function readMerges(path: string, found: unknown, vocabulary: Vocabulary): (readonly [string, string])[] {
  const merges: readonly unknown[] = Array.isArray(found) ? found : [undefined];
  return merges.map((merge, i) => {
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    const named = `Reading ${path}: its merge ${i + 1} is ${shown(merge)}`;
    if (!isPair(pair)) throw new KitError(`${named} instead of two tokens; ${AGAIN}.`);
    const absent = [...pair, pair[0] + pair[1]].find((token) => !vocabulary.has(token));
    if (absent !== undefined) throw new KitError(`${named}, but ${shown(absent)} is no token; ${AGAIN}.`);
    return pair;
  });
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every((token) => typeof token === "string" && token !== "");

/**
 * Throws a KitError where an added token's id is not the one that Python's library gives it, whatever its file says: that of the
 * vocabulary, or the next after it in the order of the files' ids.
 */
export function checkAdded(path: string, added: readonly AddedToken[], vocabulary: Vocabulary): void {
  let next = vocabulary.size;
  for (const { content, id } of added.toSorted((a, b) => a.id - b.id)) {
    const right = vocabulary.get(content) ?? next++;
    if (id !== right)
      throw new KitError(
        `Reading ${path}: the added token ${shown(content)} has the id ${id}, but ${right} ${vocabulary.has(content) ? "in the vocabulary" : "is the next after the vocabulary"}; ${AGAIN}.`,
      );
  }
}
