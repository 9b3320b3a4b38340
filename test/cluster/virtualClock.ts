import { setImmediate } from "node:timers/promises";
import type { Port } from "../../src/cluster/port.ts";

/** A clock whose time passes only while everybody waits: hours in a moment, and the same each time. */
export interface VirtualClock {
  /** Seconds since it began. */
  now(): number;
  readonly sleep: Port["sleep"];
  /** Lets time pass until a promise is settled; not while `isBusy` says that somebody is at work outside of it. */
  runUntil<T>(promise: Promise<T>, isBusy: () => boolean): Promise<T>;
}

interface Sleeper {
  readonly until: number;
  /** Of two that wake at the same time the first that went to sleep is the first. */
  readonly order: number;
  wake: (() => void) | undefined;
}

/** Makes a clock that stands at 0. */
export function virtualClock(): VirtualClock {
  const sleepers = heap();
  let [now, order] = [0, 0];
  const sleep: Port["sleep"] = (seconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = (): void => {
        own.wake = undefined;
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const own: Sleeper = { until: now + seconds, order: order++, wake };
      signal?.addEventListener("abort", wake);
      sleepers.push(own);
    });
  const wakeNext = (): void => {
    for (let next = sleepers.pop(); next; next = sleepers.pop()) {
      if (!next.wake) continue; // its sleep was ended before
      now = next.until;
      next.wake();
      return;
    }
    throw new Error("Everybody waits, and nobody for the time: what is waited for does not come.");
  };
  const runUntil: VirtualClock["runUntil"] = async (promise, isBusy) => {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    for (;;) {
      await setImmediate(); // what has been told of the time does all that it can
      if (isSettled) return promise;
      if (!isBusy()) wakeNext();
    }
  };
  return { now: () => now, sleep, runUntil };
}

/** A queue whose first is the one that wakes first. */
function heap(): { push(one: Sleeper): void; pop(): Sleeper | undefined } {
  const all: Sleeper[] = [];
  const isBefore = (i: number, j: number): boolean =>
    all[i]!.until < all[j]!.until || (all[i]!.until === all[j]!.until && all[i]!.order < all[j]!.order);
  const swap = (i: number, j: number): void => {
    [all[i], all[j]] = [all[j]!, all[i]!];
  };
  return {
    push: (one) => {
      let i = all.push(one) - 1;
      for (let up = (i - 1) >> 1; i > 0 && isBefore(i, up); up = (i - 1) >> 1) {
        swap(i, up);
        i = up;
      }
    },
    pop: () => {
      const [first, last] = [all[0], all.pop()];
      if (all.length === 0 || !last) return first;
      all[0] = last;
      for (let i = 0; ; ) {
        const least = [2 * i + 1, 2 * i + 2].reduce((best, j) => (j < all.length && isBefore(j, best) ? j : best), i);
        if (least === i) return first;
        swap(i, least);
        i = least;
      }
    },
  };
}
