import type { Distribution, Move } from "./noise/key.ts";
import type { MovingWeight, Storage } from "./storage.ts";

/** Moves of a weight that wait before all are made: many enough that a pass over its memory hardly counts. */
const MOST_WAITING = 256;

/** Moves that are yet to be made, all with one law, by the weights' memory. */
interface Queue {
  readonly make: Storage["move"];
  readonly law: Distribution;
  readonly weights: Map<object, { readonly tensor: MovingWeight["tensor"]; readonly moves: Move[] }>;
}

let isDeferring = false;
let queue: Queue | undefined;

/**
 * Runs `body` with sweeps put off until a weight's values are wanted, or many have come together: then each piece of a weight is taken
 * through all of its moves in one pass, to the same bits. Where weights lie outside this process, nothing is put off.
 */
export async function inFewPasses<T>(body: () => Promise<T>): Promise<T> {
  if (isDeferring) return body();
  isDeferring = true;
  try {
    return await body();
  } finally {
    isDeferring = false;
    makeMoves();
  }
}

/** The storage as it is, or while sweeps are put off one that puts them off and makes them before anything else. */
export function deferring(storage: Storage): Storage {
  const { move, view, source } = storage;
  if (!isDeferring || !view) return storage;
  const after = <Args extends unknown[], R>(act: (...args: Args) => R): ((...args: Args) => R) => {
    return (...args) => {
      makeMoves();
      return act(...args);
    };
  };
  return {
    ...storage,
    move: (weights, law) => {
      if (queue && (queue.law !== law || queue.make !== move)) makeMoves();
      queue ??= { make: move, law, weights: new Map() };
      let most = 0;
      for (const { tensor, moves } of weights) most = Math.max(most, put(queue, tensor, moves));
      if (most >= MOST_WAITING) makeMoves();
    },
    fill: after(storage.fill),
    copy: after(storage.copy),
    view: after(view),
    ...(source && { source: after(source) }),
  };
}

/** Adds moves of a weight and says how many of it wait. */
function put({ weights }: Queue, tensor: MovingWeight["tensor"], moves: readonly Move[]): number {
  const waiting = weights.get(tensor.dataId) ?? { tensor, moves: [] };
  weights.set(tensor.dataId, waiting);
  return waiting.moves.push(...moves);
}

function makeMoves(): void {
  const { make, law, weights } = queue ?? {};
  queue = undefined;
  make?.([...weights!.values()], law!);
}
