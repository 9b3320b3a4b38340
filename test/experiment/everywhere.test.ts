import { describe, expect, test } from "vitest";
import { replay } from "../../src/experiment/replay.ts";
import { tune } from "../../src/experiment/tune.ts";
import { loadModel } from "../../src/models/load.ts";
import { loadTask } from "../../src/tasks/load.ts";
import { probeBackends, useBackend } from "../../src/tensor/backend.ts";
import { mezo } from "../../src/tuners/mezo.ts";
import { BACKEND } from "../backend.ts";
import { tinyData, tinyModel } from "../tiny.ts";

const folder = tinyModel();
const task = await loadTask("SST-2", { data: tinyData(), train: 8, dev: 2, test: 2, seed: 1 });
const settings = { steps: 3, batchSize: 2, evaluateEvery: 3, seed: 5 };

describe.each(await probeBackends())("a run on the backend $name", ({ name, available, detail }) => {
  test.skipIf(!available)(
    `is checked by its replay there, and refused where its file was edited${available ? "" : ` (skipped: ${detail})`}`,
    async () => {
      await useBackend(name);
      const model = await loadModel(folder);
      const run = await tune(model, task, mezo({ lr: 1e-2, eps: 1e-2 }), settings);
      expect(run.scores.at(-1)!.theta).toMatch(/^[0-9a-f]{16}$/);
      const again = await replay(model, run);
      expect(again.checked).toBe(true);
      again.dispose();
      const edited = { ...run.steps[1]!, projectedGrad: 1, losses: [0.52, 0.5] };
      const other = { ...run, steps: run.steps.with(1, edited) };
      await expect(replay(model, other)).rejects.toThrow(/the run was edited; take the file as it was written\.$/);
      model.dispose();
      await useBackend(BACKEND);
    },
  );
});
