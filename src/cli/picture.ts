import { join } from "node:path";
import type { Run } from "../experiment/run.ts";
import { plotAccuracyMemory } from "../report/plot.ts";
import { saveFigure } from "../report/render.ts";
import { headline } from "../report/summary.ts";
import { rowsName } from "./names.ts";

/** Draws accuracy against memory of runs of one task and model into a folder; the files that it wrote. */
export async function savePicture(runs: readonly Run[], folder: string): Promise<string[]> {
  const { task, model, weights, untied } = headline(runs);
  const rows = await rowsName(
    task,
    runs.map(({ header }) => header.data),
  );
  const on = rows === undefined ? task : `${task}-${rows}`;
  const kept = untied ? "-untied" : "";
  const format = weights === undefined ? "" : `-${weights.replace(/,.*/, "")}`;
  const name = `${on}-${model.replace(/^.*\//, "")}${kept}${format}-accuracy-memory`.toLowerCase();
  return saveFigure(plotAccuracyMemory(runs), join(folder, name));
}
