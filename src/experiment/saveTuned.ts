import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { saveWeights } from "../adapters/ownFile.ts";
import { isInPeft, saveAdapter } from "../adapters/peft.ts";
import { hashFiles } from "../checkpoints/folder.ts";
import { KitError } from "../error.ts";
import { placeOf } from "../models/load.ts";
import { saveModel } from "../models/save.ts";
import { writeRun } from "../record/write.ts";
import type { Tuned } from "./tuned.ts";

/** What a tuned model's folder has beside its weights. */
export const FILES = {
  tuned: "tuned.json",
  task: "task.json",
  run: "run.jsonl",
  /** An adapter that PEFT does not have. */
  weights: "adapter.safetensors",
} as const;

/** What tuned.json says. */
export interface Manifest {
  readonly holds: "model" | "adapter" | "probe";
  /** Steps of the run that the weights have taken. */
  readonly step: number;
  /** Of a full model, the hash of its own weights; of others, where the base model is found again: its hash is in the run. */
  readonly weightsHash?: string;
  readonly base?: string;
}

/**
 * Saves a tuned model with its task and its run in one folder, from which `loadTuned` makes it again. A full model is there in Hugging Face's
 * layout, which `loadModel` and Python's transformers load; an adapter in PEFT's (one that PEFT does not have, as safetensors of its
 * weights) with the name and the hash of its base model; a probe is its run, which holds its rows, with the same. The folder is written
 * beside its place and put there when it is whole; another tuned model there is replaced. Throws a KitError where the folder cannot be
 * written or holds anything else, and as `saveModel` and `saveAdapter` do.
 */
export async function saveTuned(tuned: Tuned, folder: string): Promise<void> {
  const next = `${resolve(folder)}.${process.pid}.next`;
  try {
    checkPlace(tuned, folder);
    rmSync(next, { recursive: true, force: true });
    mkdirSync(next, { recursive: true });
    const held = await writeTuned(tuned, next);
    writeRun(join(next, FILES.run), tuned.run);
    writeJson(join(next, FILES.task), describeTask(tuned));
    writeJson(join(next, FILES.tuned), { ...held, step: tuned.step } satisfies Manifest);
    putInPlace(next, folder);
  } catch (error) {
    if (existsSync(next)) rmSync(next, { recursive: true });
    if (error instanceof KitError) throw error;
    throw new KitError(
      `Writing the tuned model ${folder}: ${(error as Error).message}; choose a folder that can be written.`,
    );
  }
}

function checkPlace({ model }: Tuned, folder: string): void {
  if (existsSync(folder) && existsSync(model.folder) && realpathSync(folder) === realpathSync(model.folder))
    throw new KitError(
      `Saving the tuned model into ${folder}: its base weights lie there, from which its run is replayed; choose another folder.`,
    );
  checkTunedFolder(folder);
}

/** Throws a KitError where a tuned model cannot go into a folder since other files are there. */
export function checkTunedFolder(folder: string): void {
  if (!existsSync(folder) || existsSync(join(folder, FILES.tuned)) || readdirSync(folder).length === 0) return;
  throw new KitError(
    `Saving the tuned model into ${folder}: other files are there, which are not to be lost; choose a new folder.`,
  );
}

async function writeTuned({ model, run, adapted }: Tuned, folder: string): Promise<Omit<Manifest, "step">> {
  const { adapter, head } = run.header;
  const base = placeOf(model);
  const baseModel = model.revision === undefined ? resolve(model.folder) : model.id; // PEFT knows no bundled models
  if (head) return { holds: "probe", base };
  if (adapted && isInPeft(adapter!.name)) await saveAdapter(folder, adapter!, adapted, { network: model, baseModel });
  else if (adapted) await saveWeights(join(folder, FILES.weights), adapted);
  if (adapted) return { holds: "adapter", base };
  await saveModel(model, folder);
  return { holds: "model", weightsHash: hashFiles([join(folder, "model.safetensors")]) };
}

/** What makes the task again: the plain data of a classification, or else its name. */
function describeTask({ task }: Tuned): object {
  return task.spec ? { classification: task.spec } : { task: task.name };
}

function writeJson(path: string, value: object): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** Puts a whole folder in the place of another: at every moment one of the two is there, under its name or beside it. */
function putInPlace(next: string, folder: string): void {
  const old = `${resolve(folder)}.${process.pid}.old`;
  mkdirSync(dirname(resolve(folder)), { recursive: true });
  if (existsSync(folder)) renameSync(folder, old);
  try {
    renameSync(next, folder);
  } catch (error) {
    if (existsSync(old)) renameSync(old, folder);
    throw error;
  }
  rmSync(old, { recursive: true, force: true });
}
