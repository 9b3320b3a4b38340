import { join } from "node:path";
import type { Run } from "../experiment/run.ts";
import { plotAccuracyMemory } from "../report/plot.ts";
import { saveFigure } from "../report/render.ts";

/** Draws accuracy against memory of runs of one task into a folder; the files that it wrote. */
export function savePicture(runs: readonly Run[], folder: string): Promise<string[]> {
  return saveFigure(plotAccuracyMemory(runs), join(folder, `${runs[0]!.header.task}-accuracy-memory`.toLowerCase()));
}
