import { randomUUID } from "node:crypto";
import { checkOptions, KitError } from "../error.ts";
import type { LanguageModel } from "../models/network.ts";
import type { Progress } from "../tensor/progress.ts";
import type { Offer, Port } from "./port.ts";
import { serve } from "./serve.ts";
import { Astray } from "./standing.ts";

/** Settings of a worker. */
export interface WorkOptions {
  /** Works for the run of that name alone, until it ends. */
  readonly run?: string;
  /** Ends after the first run that ends. */
  readonly once?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: Progress;
  /** Told of messages and runs that were left aside, and why. */
  readonly onRefused?: (why: KitError) => void;
  /**
   * Does the runs of a table that is offered, and says whether it has ended; without it tables are left to other workers. Throws a KitError for
   * one that this worker cannot serve.
   */
  readonly serveTable?: (table: string) => Promise<boolean>;
}

/**
 * Computes losses for runs that others have begun in a cluster, until `signal` aborts: it takes pieces of a run's steps, runs the model on both sides
 * of theta and answers. Its weights follow the run's lines, which a worker that comes late replays first; it needs no data. The model must be the runs'
 * base, kept and computed as theirs, or they are left aside. Afterwards the base weights are back. Throws a KitError where a run that was asked for by
 * name cannot be worked for. Of a function the model is asked for when the first run needs it.
 */
export async function work(
  model: LanguageModel | (() => Promise<LanguageModel>),
  port: Port,
  options: WorkOptions = {},
): Promise<void> {
  const { run: only, once: isOnce = false, signal = new AbortController().signal, ...rest } = options;
  const { onProgress = () => {}, onRefused = () => {}, serveTable, ...unknown } = rest;
  checkOptions("work", unknown, ["run", "once", "signal", "onProgress", "onRefused", "serveTable"]);
  const others = { port, name: randomUUID(), signal, onProgress, onRefused };
  let loaded: LanguageModel | undefined;
  const serveRun = async (run: string): Promise<boolean> => {
    loaded ??= typeof model === "function" ? await model() : model;
    return serve({ model: loaded, ...others }, run);
  };
  const serving: Serving = { run: serveRun, ...(serveTable && { table: serveTable }) };
  const refused = new Set<string>();
  while (!signal.aborted) {
    const offers = (await port.offers()).filter(({ kind }) => serving[kind]);
    const offer = choose(offers, only, refused);
    const ended = offer
      ? await serveOrRefuse(serving, offer, { isOnly: only !== undefined, refused, onRefused })
      : false;
    if (ended && (isOnce || only !== undefined)) return;
    if (!offer) onProgress({ label: "waiting for a run", done: 0, total: 1 });
    await port.sleep(offer ? 0.2 : 1, signal);
  }
}

/** The run with the most work among those that may be worked for. */
function choose(offers: readonly Offer[], only: string | undefined, refused: ReadonlySet<string>): Offer | undefined {
  const fit = offers.filter(({ run }) => !refused.has(run) && (only === undefined || run === only));
  return fit.toSorted((a, b) => b.waiting - a.waiting)[0];
}

/** What serves an offer of each kind, and says whether it has ended. */
type Serving = { readonly [Kind in Offer["kind"]]?: (run: string) => Promise<boolean> };

interface Refusing extends Required<Pick<WorkOptions, "onRefused">> {
  readonly isOnly: boolean;
  readonly refused: Set<string>;
}

/** Serves an offer, and says whether it has ended; one that cannot be served is not tried again. */
async function serveOrRefuse(
  serving: Serving,
  { run, kind }: Offer,
  { isOnly, refused, onRefused }: Refusing,
): Promise<boolean> {
  try {
    return await serving[kind]!(run);
  } catch (error) {
    const isAstray = error instanceof Astray; // the weights are made again at the next try
    if (!isAstray && (isOnly || !(error instanceof KitError))) throw error;
    onRefused(error as KitError);
    if (!isAstray) refused.add(run);
    return false;
  }
}
