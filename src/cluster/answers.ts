import { KitError } from "../error.ts";
import type { UnfinishedRun } from "../record/run.ts";
import { stepsTaken } from "../record/steps.ts";
import { type AnswerMessage, lossesIn, pieceName, readAnswer } from "./messages.ts";
import type { PieceKey, Port, StoredAnswer } from "./port.ts";

/** What a coordinator asks of workers. */
export interface Answers {
  /** Publishes a piece, and waits for its first answer that is one, with so many losses. */
  ask(piece: PieceKey, text: string, count: number): Promise<readonly number[]>;
  /** Stops listening. */
  stop(): void;
}

/** Of which run, and who is told of answers that are left aside. */
interface Of {
  readonly run: string;
  readonly onRefused: (why: KitError) => void;
}

/** Seconds after which a piece that nobody has answered is published once more. */
const PUBLISH_AGAIN = 180;

/** The same after an answer that was none. */
const ASK_AGAIN = 1;

/** A piece that waits for its answer. */
interface Waiting {
  readonly count: number;
  readonly resolve: (losses: readonly number[]) => void;
  readonly reject: (error: unknown) => void;
  /** Has the piece published once more, soon. */
  readonly again: () => void;
}

/** Collects the answers to a run's pieces from its next step on. Only the first answer to a piece counts, as any other has the same numbers. */
export function awaitAnswers(port: Port, past: UnfinishedRun, { run, onRefused }: Of): Answers {
  const over = new AbortController();
  const waiting = new Map<string, Waiting>();
  const early = new Map<string, StoredAnswer>(); // of the step that is due, from before this coordinator asked
  let due = stepsTaken(past);
  let isListening = false;
  let deaf: { readonly error: unknown } | undefined; // why no answer is heard any more
  const take = (answer: StoredAnswer): void => {
    const { piece, text } = answer;
    if (piece.step < due) return; // a second answer
    const asker = waiting.get(pieceName(piece));
    try {
      if (piece.step > due) throw notDue(piece, due);
      if (asker) asker.resolve(checkLosses(checkOrigin(readAnswer(text, piece), past), asker.count));
      else early.set(pieceName(piece), answer);
    } catch (error) {
      if (!(error instanceof KitError)) throw error;
      onRefused(error);
      asker?.again();
    }
  };
  const listen = async (): Promise<void> => {
    try {
      for await (const answer of port.answers(run, over.signal)) take(answer);
    } catch (error) {
      deaf = { error };
      for (const { reject } of waiting.values()) reject(error);
    }
  };
  const ask: Answers["ask"] = async (piece, text, count) => {
    if (!isListening) void listen();
    isListening = true;
    if (deaf) throw deaf.error;
    if (piece.step > due) early.clear();
    due = piece.step;
    const name = pieceName(piece);
    const publishing = publishUntilDone(port, piece, text);
    try {
      return await new Promise<readonly number[]>((resolve, reject) => {
        waiting.set(name, { count, resolve, reject, again: publishing.again });
        publishing.failed.catch(reject);
        const before = early.get(name);
        if (before) take(before);
      });
    } finally {
      publishing.stop();
      waiting.delete(name);
    }
  };
  return { ask, stop: () => over.abort() };
}

/** Publishes a piece, and again from time to time, until it is stopped; `failed` is rejected where it cannot be. */
function publishUntilDone(
  port: Port,
  piece: PieceKey,
  text: string,
): { readonly failed: Promise<never>; readonly again: () => void; readonly stop: () => void } {
  const done = new AbortController();
  let soon = new AbortController();
  const publish = async (): Promise<never> => {
    while (!done.signal.aborted) {
      await port.publish(piece, text);
      soon = new AbortController();
      await port.sleep(PUBLISH_AGAIN, AbortSignal.any([done.signal, soon.signal]));
    }
    return new Promise<never>(() => {});
  };
  const failed = publish();
  const again = (): void => void port.sleep(ASK_AGAIN, done.signal).then(() => soon.abort());
  return { failed, again, stop: () => done.abort() };
}

const notDue = (piece: PieceKey, due: number): KitError =>
  new KitError(
    `An answer to piece ${pieceName(piece)} was left aside, as step ${due} is due: see who else writes to the cluster.`,
  );

/** The losses of an answer that has as many as were asked for. Throws a KitError for another number. */
function checkLosses(answer: AnswerMessage, count: number): readonly number[] {
  const losses = lossesIn(answer);
  if (losses.length === count) return losses;
  const [asked, has] = count === 2 ? ["both sides", "one place"] : ["one place", "both sides"];
  throw new KitError(
    `An answer to piece ${pieceName(answer)} was left aside, as the losses of ${asked} were asked for and it has those of ${has}: see who else writes to the cluster.`,
  );
}

/** Returns an answer that was computed from what the run is made from. Throws a KitError that names what differs. */
function checkOrigin(answer: AnswerMessage, { header }: UnfinishedRun): AnswerMessage {
  const own = { base: header.weightsHash, kit: header.kit, noise: header.noise };
  const what = (["base", "kit", "noise"] as const).find((name) => answer[name] !== own[name]);
  if (what === undefined) return answer;
  throw new KitError(
    `An answer of worker ${answer.worker} was left aside, as its ${what} is ${answer[what]} and the run's ${own[what]}: start that worker with the run's.`,
  );
}
