import { KitError } from "../error.ts";
import { rademacher } from "../tensor/parameter.ts";
import { conMezo } from "../tuners/cone.ts";
import { evolutionStrategies, fzoo } from "../tuners/fzoo.ts";
import { lozo, lozoMomentum } from "../tuners/lozo.ts";
import { sparseMezo } from "../tuners/sparse.ts";
import type { Tuner } from "../tuners/tuner.ts";
import type { ZerothOptions } from "../tuners/zeroth.ts";
import type { MeasureRequest } from "./request.ts";
import { type Settings, type Trainer, zerothOrder, zerothSettings } from "./runMethod.ts";

/** A tuner that is none of the paper's, in place of MeZO: for models that do not ship with the kit with its settings out of the paper's grids. */
const inPlaceOfMezo = (tuner: Trainer["tuner"]): Trainer => ({ ...zerothOrder, tuner });

const withNoise = (make: (options: ZerothOptions) => Tuner): Trainer =>
  inPlaceOfMezo((settings, request) => make(zerothSettings(settings, request)));

/** z of low rank is of normal numbers alone. */
function withoutNoise(name: string, make: (options: Omit<ZerothOptions, "noise">) => Tuner): Trainer {
  return inPlaceOfMezo((settings: Settings, request: MeasureRequest) => {
    const { noise: _, ...options } = zerothSettings(settings, request);
    if (request.noise === "gaussian") return make(options);
    throw new KitError(
      `${name} was to have z of ${request.noise} noise, but its z is a product of normal numbers: leave noise out.`,
    );
  });
}

/** Directions a step of the two that look at one side: FZOO's own number. */
const DIRECTIONS = 8;

/** FZOO, whose z are signs. */
export const fzooTrainer: Trainer = inPlaceOfMezo((settings, request) =>
  fzoo({ ...zerothSettings(settings, request), noise: rademacher, n: DIRECTIONS }),
);

/** Evolution strategies, with as many directions as FZOO. */
export const strategiesTrainer: Trainer = withNoise((options) => evolutionStrategies({ ...options, n: DIRECTIONS }));

/** LOZO with the rank and interval that its authors take. */
export const lozoTrainer: Trainer = withoutNoise("LOZO", lozo);

/** LOZO with momentum. */
export const lozoMomentumTrainer: Trainer = withoutNoise("LOZO-momentum", lozoMomentum);

/** Sparse-MeZO with its authors' share of the weights. */
export const sparseTrainer: Trainer = withNoise(sparseMezo);

/** ConMeZO with its authors' angle. */
export const coneTrainer: Trainer = withNoise(conMezo);
