import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Measured } from "./accuracy.ts";

/** What a measurement has found so far, kept in a file, so that one that was cut short goes on where it was. */
export interface AccuracyPart {
  readonly measured: readonly Measured[];
  /** Adds what one direction gave, at every eps. */
  add(direction: readonly Measured[]): void;
  remove(): void;
}

/** Opens the file of a measurement with these settings: with what was found under the very same ones, else empty. */
export function openAccuracyPart(folder: string, name: string, settings: object): AccuracyPart {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.jsonl.part`);
  const head = JSON.stringify(settings);
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  const kept = lines[0] === head ? lines : [head];
  const measured = kept.slice(1).flatMap((line) => JSON.parse(line) as Measured[]);
  writeFileSync(file, kept.map((line) => `${line}\n`).join(""));
  return {
    measured,
    add: (direction) => {
      measured.push(...direction);
      appendFileSync(file, `${JSON.stringify(direction)}\n`);
    },
    remove: () => rmSync(file),
  };
}
