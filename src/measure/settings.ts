import type { LanguageModel } from "../models/network.ts";
import { gaussian, rademacher } from "../tensor/parameter.ts";
import { adam } from "../tuners/adam.ts";
import { mezo } from "../tuners/mezo.ts";
import type { Tuner } from "../tuners/tuner.ts";
import { type MethodGrid, type PaperGrid, paperGrid } from "./paper.ts";
import { type MeasureRequest, valueFor } from "./request.ts";

/** What a run of a training method is made with; eps is MeZO's alone. */
export interface Settings {
  readonly lr: number;
  readonly eps: number;
  readonly steps: number;
  readonly batchSize: number;
}

/** A way to train, of which the paper compares two. */
export interface Trainer {
  /** The tuner with the settings. Throws a KitError for settings that it cannot take. */
  readonly tuner: (settings: Settings, request: MeasureRequest) => Tuner;
  /** The settings out of the paper's grid of a method: the default for models that do not ship with the kit. */
  readonly fromGrid: (own: MethodGrid, family: PaperGrid) => Settings;
}

/** Backpropagation with Adam: the first rate of the grid, and the only batch size that all of FT's grids have, Table 16's. */
export const backpropagation: Trainer = {
  tuner: ({ lr }, { weightDecay }) => adam({ lr, weightDecay }),
  fromGrid: ({ lr }, family) => ({
    ...{ lr: lr[0]!, eps: 0 },
    ...{ steps: family.FT!.steps!, batchSize: paperGrid("OPT").FT!.batchSize[0]! },
  }),
};

/** MeZO: the middle rate of the grid, the first of two. */
export const zerothOrder: Trainer = {
  tuner: ({ lr, eps }, { weightDecay, schedule, noise }) =>
    mezo({ lr, eps, weightDecay, schedule, noise: { gaussian, rademacher }[noise] }),
  fromGrid: ({ lr, eps, steps, batchSize }) => ({
    ...{ lr: lr[Math.floor((lr.length - 1) / 2)]!, eps: eps![0]! },
    ...{ steps: steps!, batchSize: batchSize[0]! },
  }),
};

/** A training method as far as its settings go. */
export interface Trains {
  /** As the paper's tables print it. */
  readonly name: string;
  readonly trainer: Trainer;
  /** For the models that ship with the kit, by id: small models take larger steps, and few steps fit a laptop. */
  readonly bundled: Readonly<Record<string, Settings>>;
}

type Kind = Pick<LanguageModel, "id" | "prompts">;

/** The settings of a method for a model where nothing is said: for those that ship with the kit their own, for others out of the paper's grids (Tables 15 and 16). */
export function defaultSettings({ id, prompts }: Kind, { name, trainer, bundled }: Trains): Settings {
  const roberta = paperGrid("RoBERTa");
  const family = prompts === "masked" ? roberta : paperGrid("OPT");
  return bundled[id] ?? trainer.fromGrid(family[name] ?? roberta[name]!, family); // Table 16 lacks FT's adapters
}

/** The settings of a method for a model: what the request says, else the defaults. */
export function chooseSettings(request: MeasureRequest, model: Kind, method: Trains): Settings {
  const { lr, eps, steps, batchSize } = defaultSettings(model, method);
  return {
    lr: valueFor(request.lr, method.name) ?? lr,
    eps: valueFor(request.eps, method.name) ?? eps,
    steps: valueFor(request.steps, method.name) ?? steps,
    batchSize: valueFor(request.batchSize, method.name) ?? batchSize,
  };
}
