// What one command or notebook uses: `mezo-kit/lab`. Importing it defines its tuners, so that their runs are resumed and replayed.
export { type DiagnoseOptions, type Diagnosis, diagnose } from "./diagnose.ts";
export { type ForwardGradientOptions, forwardGradient } from "./forwardGradient.ts";
export { type Landscape, landscape, type Slope, type TaskObjectiveOptions, taskObjective } from "./landscape.ts";
export { type LeanAdamOptions, type LeanMomentumOptions, leanAdam, leanMomentum } from "./lean.ts";
export { diagnosisText, plotPlateau } from "./report.ts";
export {
  type RowChoice,
  type RowView,
  type ScoredToken,
  type ShownOption,
  type ShownToken,
  viewRow,
} from "./rowView.ts";
export { type Estimate, type Ritz, type Spectrum, type SpectrumOptions, spectrum } from "./spectrum.ts";
export {
  type MezoConservativeOptions,
  type MezoLayersOptions,
  mezoConservative,
  mezoLayers,
  mezoSign,
} from "./variants.ts";
