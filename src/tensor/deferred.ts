import type { Distribution } from "./noise/key.ts";
import type { Move } from "./noise/wasm.ts";
import type { MovedWeight, Storage } from "./storage.ts";

/** Moves of a weight that wait before all are made: many enough that a pass over its memory hardly counts. */
const MOST_WAITING = 256;

/** Moves that are yet to be made, all with one law, by the weights' memory. */
interface Queue {
  readonly make: NonNullable<Storage["moves"]>;
  readonly law: Distribution;
  readonly weights: Map<object, { readonly tensor: MovedWeight["tensor"]; readonly moves: Move[] }>;
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
  const { moves, view, source } = storage;
  if (!isDeferring || !moves) return storage;
  const after = <Args extends unknown[], R>(act: (...args: Args) => R): ((...args: Args) => R) => {
    return (...args) => {
      makeMoves();
      return act(...args);
    };
  };
  return {
    ...storage,
    sweep: (weights, scale, law) => {
      if (queue && (queue.law !== law || queue.make !== moves)) makeMoves();
      queue ??= { make: moves, law, weights: new Map() };
      let most = 0;
      for (const { tensor, key, keep } of weights) most = Math.max(most, put(queue, tensor, { key, scale, keep }));
      if (most >= MOST_WAITING) makeMoves();
    },
    moves: after(moves),
    fill: after(storage.fill),
    copy: after(storage.copy),
    ...(view && { view: after(view) }),
    ...(source && { source: after(source) }),
  };
}

/** Adds a move of a weight and says how many of it wait. */
function put({ weights }: Queue, tensor: MovedWeight["tensor"], move: Move): number {
  const waiting = weights.get(tensor.dataId) ?? { tensor, moves: [] };
  weights.set(tensor.dataId, waiting);
  return waiting.moves.push(move);
}

function makeMoves(): void {
  const { make, law, weights } = queue ?? {};
  queue = undefined;
  make?.([...weights!.values()], law!);
}
