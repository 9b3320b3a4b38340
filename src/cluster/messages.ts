import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { KitError, shorten, showValue } from "../error.ts";
import type { LabelledBatch } from "../loss/encode.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Loss } from "../tasks/task.ts";
import { type Candidate, type EncodedExample, findShared } from "../text/prompt.ts";
import type { Pair } from "../tuners/tuner.ts";
import { MOST_BYTES, type PieceKey } from "./port.ts";

/** A piece of work: the losses of some rows where a step looks, at one place or both sides of theta along a z. */
export interface PieceMessage extends PieceKey {
  readonly z: { readonly seed: number; readonly step: number; readonly index: number };
  /** The step's losses so far, in the order of its pairs: a tuner may look for a second z after it has the first one's. */
  readonly known: readonly number[];
  readonly loss: Loss;
  readonly rows: readonly Row[];
}

/** An example as token ids: what its candidates begin with, and the rest of each, or a text that is read at one token. */
export type Row = RowText & { readonly gold: readonly number[] };

type RowText = { readonly ids: readonly number[] } & (
  | { readonly ends: readonly (readonly number[])[]; readonly lengths: readonly number[] }
  | { readonly at: number; readonly answers: readonly number[] }
);

/** The answer to a piece: the losses on both sides, or one at one place. */
export type AnswerMessage = Origin & (Pair | { readonly loss: number });

interface Origin extends PieceKey {
  readonly worker: string;
  /** From what it was computed: the hash of the base model's weights, the kit's version and how z is made. */
  readonly base: string;
  readonly kit: string;
  readonly noise: string;
}

/** The name that is read as a piece's in errors. */
export const pieceName = ({ run, step, pair, shard }: PieceKey): string => `${step}.${pair}.${shard} of run ${run}`;

/** The rows of a batch. */
export function toRows({ examples, gold }: LabelledBatch): Row[] {
  return examples.map((example, i) => ({ ...textOf(example), gold: gold[i]! }));
}

function textOf({ candidates, shared }: EncodedExample): RowText {
  if (candidates.length === 0 && shared) return { ...shared, ids: [...shared.ids] };
  const all = candidates.map(({ ids }) => ids);
  const first = all[0]!;
  let same = 0;
  while (all.every((ids) => same < ids.length && ids[same] === first[same])) same++;
  return {
    ids: [...first.subarray(0, same)],
    ...{ ends: all.map((ids) => [...ids.subarray(same)]), lengths: candidates.map(({ optionLength }) => optionLength) },
  };
}

/** The batch of some rows. Throws a KitError for rows that the model cannot read. */
export function toBatch(piece: PieceMessage, model: LanguageModel): LabelledBatch {
  const examples = piece.rows.map(toExample);
  const gold = piece.rows.map((row) => row.gold);
  const wrong = examples.map((example, i) => wrongIn(example, gold[i]!, model)).find(Boolean);
  if (wrong !== undefined)
    throw new KitError(
      `Piece ${pieceName(piece)} was left aside, as it has ${wrong}: see who else writes to the cluster.`,
    );
  return { examples, gold, texts: [], begin: "mezo" };
}

function toExample(row: Row): EncodedExample {
  if ("at" in row) return { candidates: [], shared: { ...row, ids: Int32Array.from(row.ids) } };
  const candidates = row.ends.map(
    (end, i): Candidate => ({ ids: Int32Array.of(...row.ids, ...end), optionLength: row.lengths[i] ?? 0 }),
  );
  const shared = findShared(candidates);
  return shared ? { candidates, shared } : { candidates };
}

/** What a model cannot read of an example; undefined where it can read all. */
function wrongIn(
  { candidates, shared }: EncodedExample,
  gold: readonly number[],
  { head, maxLength, classes, tokenizer }: LanguageModel,
): string | undefined {
  const most = classes === undefined ? head.weight.shape[0]! : tokenizer.size;
  const texts = [...candidates.map(({ ids }) => ids), ...(shared ? [shared.ids] : [])];
  const options = candidates.length > 0 ? candidates.length : shared!.answers.length;
  const known = classes === undefined ? most : classes;
  if (texts.some((ids) => ids.length > maxLength || ids.length === 0))
    return `a text without tokens, or of more than ${maxLength}`;
  if (texts.some((ids) => ids.some((id) => id >= most))) return `a token that the vocabulary of ${most} has not`;
  if (candidates.some(({ ids, optionLength }) => optionLength < 1 || optionLength >= ids.length))
    return "an answer that is no part of its text";
  if (shared && (shared.at >= shared.ids.length || shared.answers.some((id) => id >= known)))
    return "an answer that the model has not";
  return gold.length > 0 && gold.every((i) => i < options) ? undefined : "a right answer that is none of its options";
}

/** Reads a piece of a run. Throws a KitError for a message that is none. */
export function readPiece(text: string, run: string): PieceMessage {
  const piece = readMessage<PieceMessage>(text, "piece");
  if (piece.known.length > 2 * piece.pair)
    throw new KitError(
      `Piece ${pieceName(piece)} was left aside, as it knows the losses of pairs that do not come before its own: see who else writes to the cluster.`,
    );
  if (piece.run === run) return piece;
  throw new KitError(
    `A piece of run ${shorten(piece.run)} stood in the queue of run ${run} and was left aside: see who else writes to the cluster.`,
  );
}

/** Reads an answer to a piece. Throws a KitError for a message that is none, or of another piece than where it stands. */
export function readAnswer(text: string, key: PieceKey): AnswerMessage {
  const answer = readMessage<AnswerMessage>(text, "answer");
  if (pieceName(answer) === pieceName(key)) return { ...answer, ...namedLosses(lossesIn(answer).map(Number)) };
  throw new KitError(
    `An answer to piece ${pieceName(answer)} stood among those to ${pieceName(key)} and was left aside: see who else writes to the cluster.`,
  );
}

/** An answer's losses: two of both sides, or one. */
export const lossesIn = (answer: Pair | { readonly loss: number }): readonly number[] =>
  "loss" in answer ? [answer.loss] : [answer.lossPlus, answer.lossMinus];

/** The losses as an answer has them. */
export function namedLosses(losses: readonly number[]): Pair | { readonly loss: number } {
  const [first, second] = losses;
  return second === undefined ? { loss: first! } : { lossPlus: first!, lossMinus: second };
}

/** The text of a message. Throws a KitError for one that is too long. */
export function writeMessage(message: PieceMessage | AnswerMessage): string {
  const text = JSON.stringify(message, (_, value) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
  const bytes = Buffer.byteLength(text);
  if (bytes <= MOST_BYTES) return text;
  throw new KitError(
    `Piece ${pieceName(message)} takes ${bytes} bytes, and messages have at most ${MOST_BYTES}: divide the batch among more shards.`,
  );
}

const SCHEMA = resolve(import.meta.dirname, "../../data/schema/cluster.schema.json");

let schema: Ajv2020 | undefined;

/** The kinds of messages, as the schema has them. */
export type MessageKind = "piece" | "answer" | "table" | "job" | "result" | "report";

/** What errors call them. */
const CALLED: Readonly<Record<MessageKind, string>> = {
  ...{ piece: "a piece", answer: "an answer" },
  ...{ table: "a table", job: "a job of a table", result: "a job's result", report: "a report of a job" },
};

/** Reads a message of that kind. Throws a KitError for a text that is too long to be read, no JSON, or not as the schema has it. */
export function readMessage<Message>(text: string, kind: MessageKind): Message {
  const aside = (found: string): KitError =>
    new KitError(
      `A message that should be ${CALLED[kind]} was left aside, as ${found}: see who else writes to the cluster.`,
    );
  if (Buffer.byteLength(text) > MOST_BYTES) throw aside(`it has more than ${MOST_BYTES} bytes`);
  const message = parsed(text);
  if (message === undefined) throw aside(`${showValue(text)} is no JSON`);
  schema ??= new Ajv2020({ strict: true, allowUnionTypes: true }).addSchema(
    JSON.parse(readFileSync(SCHEMA, "utf8")),
    "cluster",
  );
  const validate = schema.getSchema(`cluster#/$defs/${kind}`)!;
  if (!validate(message)) throw aside(whyInvalid(validate.errors![0]!)); // 1e999, which JSON reads as Infinity, is no number to it
  return message as Message;
}

function whyInvalid({ instancePath, message = "is wrong", params }: NonNullable<Ajv2020["errors"]>[number]): string {
  const { type: _, ...found } = params as Readonly<Record<string, unknown>>;
  const where = instancePath === "" ? "it" : `its ${shorten(instancePath.slice(1).replaceAll("/", "."))}`;
  return [where, message, ...Object.values(found).map(showValue)].join(" ");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
