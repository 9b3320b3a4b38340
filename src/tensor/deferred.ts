import { moveWeights } from "./factors.ts";
import type { Move } from "./noise/key.ts";
import { type Law, movesOf, type Perturb } from "./parameter.ts";
import type { WeightMoves } from "./storage.ts";

/** Moves of a weight that wait before all are made: many enough that a pass over its memory hardly counts. */
const MOST_WAITING = 256;

/** The same of moves that hold factors. */
const MOST_FACTORS = 32;

/** Sweeps that are put off and then made together: each piece of a weight is taken through all of its moves in one pass, to the same bits. */
export interface DeferredSweeps {
  /**
   * A noise whose sweeps are put off while `during` runs, until many have come together. Who reads weights in between sees them as they
   * were. For a noise without a law nothing is put off.
   */
  through(noise: Perturb): Perturb;
  /** Runs `body`; in the end all sweeps that it asked for have been made, where it fails too. */
  during<T>(body: () => Promise<T>): Promise<T>;
}

interface Queue {
  readonly law: Law;
  readonly weights: Map<object, { readonly tensor: WeightMoves["tensor"]; readonly moves: Move[] }>;
}

/** Sweeps to put off: for a replay, which moves the weights thousands of times and reads them once. */
export function deferSweeps(): DeferredSweeps {
  let isDeferring = false;
  let queue: Queue | undefined;
  const flush = (): void => {
    const { law, weights } = queue ?? {};
    queue = undefined;
    if (law && weights) moveWeights([...weights.values()], law);
  };
  const through = (noise: Perturb): Perturb => {
    const { law } = noise;
    const perturb: Perturb = (theta, scale, draw, keep = 1) => {
      if (!isDeferring || law === undefined) {
        flush();
        return noise(theta, scale, draw, keep);
      }
      if (queue?.law !== law) flush();
      queue ??= { law, weights: new Map() };
      let most = 0;
      for (const { tensor, moves } of movesOf(law, theta, { scale, draw, keep }))
        most = Math.max(most, put(queue, tensor, moves[0]!));
      if (most >= (typeof law === "string" ? MOST_WAITING : MOST_FACTORS)) flush();
    };
    return law === undefined ? perturb : Object.assign(perturb, { law });
  };
  return {
    through,
    during: async (body) => {
      isDeferring = true;
      try {
        return await body();
      } finally {
        isDeferring = false;
        flush();
      }
    },
  };
}

/** Adds a move of a weight and says how many of it wait. */
function put({ weights }: Queue, tensor: WeightMoves["tensor"], move: Move): number {
  const waiting = weights.get(tensor.dataId) ?? { tensor, moves: [] };
  weights.set(tensor.dataId, waiting);
  return waiting.moves.push(move);
}
