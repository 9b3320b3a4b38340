import { createHash } from "node:crypto";
import { KitError } from "../error.ts";
import { compareHeaders, diff, differenceText, MACHINE, partingText } from "../record/diff.ts";
import { lineReader } from "../record/lineReader.ts";
import { chain, inOrder } from "../record/lines.ts";
import type { Cost, Run, Score, StepRecord, UnfinishedRun } from "../record/run.ts";
import type { Port } from "./port.ts";

/** A run's lines in a cluster, which one coordinator goes on writing. */
export interface RunStream {
  /** The run as far as the cluster has it, or this process, whichever is further. */
  readonly past: Run | UnfinishedRun;
  /** Writes what the cluster still lacks of `past`, once. */
  begin(): Promise<void>;
  /** Writes a line behind the others, and waits until it is kept. */
  step(step: StepRecord): Promise<void>;
  score(score: Score): Promise<void>;
  finish(cost: Cost): Promise<void>;
}

/** The name of a run in a cluster where it is given none: it tells apart what other settings make, and not the machines that make it. */
export function nameRun({ header, before }: UnfinishedRun): string {
  const { threads: _, processor: __, remark: ___, data, ...own } = header;
  const earlier = before ? chain().run(before) : "";
  const text = `${earlier}${JSON.stringify({ ...own, data: data.sha256 })}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/**
 * Joins the run that a process has to what the cluster has of it: one of the two is the other's beginning. Throws a KitError where they are
 * different runs.
 */
export async function joinStream(port: Port, run: string, own: UnfinishedRun): Promise<RunStream> {
  const stored = await port.lines(run);
  const reader = lineReader(`Run ${run} of the cluster`);
  const bytes = stored.map(({ text }) => Buffer.from(`${text}\n`));
  for (const line of bytes) reader.read(line);
  const there = reader.run();
  if (there) checkSame(run, there, own);
  const lines = chain(createHash("sha256").update(Buffer.concat(bytes)));
  const isBehind = there !== undefined && inOrder(there).length < inOrder(own).length;
  let place = stored.at(-1)?.place ?? 0;
  let lacking = isBehind
    ? listMissing(there, own).map((one) => ("losses" in one ? lines.step(one) : lines.score(one)))
    : [];
  if (!there) lacking = [lines.run(own)];
  const append = async (texts: string): Promise<void> => {
    for (const text of texts.split("\n").slice(0, -1)) place = await port.append(run, text, place);
  };
  const begin = async (): Promise<void> => {
    const texts = lacking.join("");
    lacking = [];
    await append(texts);
  };
  return {
    past: there && !isBehind ? there : own,
    begin,
    step: (step) => append(lines.step(step)),
    score: (score) => append(lines.score(score)),
    finish: (cost) => append(lines.cost(cost)),
  };
}

/** The steps and scores of the longer of two runs that the other lacks. */
export const listMissing = (shorter: UnfinishedRun, longer: UnfinishedRun): ReturnType<typeof inOrder> =>
  inOrder(longer).slice(inOrder(shorter).length);

/** Throws a KitError unless one of two runs is the other's beginning. */
function checkSame(run: string, there: UnfinishedRun, own: UnfinishedRun): void {
  const setting = compareHeaders(there.header, own.header, MACHINE);
  if (setting)
    throw new KitError(
      `Run ${run} was to be gone on with in the cluster, but it is another one there: ${differenceText(setting)}; give this one another name.`,
    );
  const parting = diff(there, own);
  if (parting && parting.what !== "steps" && parting.one !== undefined && parting.other !== undefined)
    throw new KitError(
      `Run ${run} was to be gone on with in the cluster, but it went another way there: ${partingText(parting)}; give this one another name.`,
    );
}
