export { KitError } from "./error.ts";
export { backendNames, useBackend, type BackendName } from "./tensor/backend.ts";
export type { Progress } from "./tensor/progress.ts";
export type { Parameter } from "./tensor/parameter.ts";
export { gaussian, rademacher, type Draw, type Perturb } from "./tensor/parameter.ts";
export { BUNDLED_MODEL, loadModel } from "./models/load.ts";
export type { LanguageModel } from "./models/network.ts";
export { saveModel, type SaveModelOptions } from "./models/save.ts";
export { saveUntrained } from "./models/save.ts";
export type { LoadedNetwork } from "./models/network.ts";
export type { Limits } from "./models/family.ts";
export type { Adaptation, Head, Layer, LayerContext, Network, Past } from "./nn/network.ts";
export { features } from "./nn/run.ts";
export { generate, type GenerateOptions } from "./nn/generate.ts";
export type { TokenBatch } from "./nn/batch.ts";
export type { Tokenizer } from "./text/tokenizer.ts";
export type { EncodedExample } from "./text/prompt.ts";
export { MASK, type MaskedPart, type MaskedPrompt } from "./text/prompt.ts";
export { labelField, textField } from "./tasks/definitions/fields.ts";
export { loadTask, type LoadTaskOptions, type Split } from "./tasks/load.ts";
export type { Quoting } from "./tasks/read/table.ts";
export type {
  DataSource,
  Dropped,
  Example,
  Form,
  FormDefinition,
  Loss,
  Metric,
  Task,
  TaskDefinition,
} from "./tasks/task.ts";
export type { Schedule } from "./tuners/schedule.ts";
export { mezo, type MezoOptions } from "./tuners/mezo.ts";
export { nSpsa, type NSpsaOptions } from "./tuners/nSpsa.ts";
export { onePoint } from "./tuners/onePoint.ts";
export { expectationModified, type ModifiedOptions, varianceModified } from "./tuners/modified.ts";
export { mezoMomentum, type MezoMomentumOptions } from "./tuners/momentum.ts";
export { mezoAdam, type MezoAdamOptions } from "./tuners/mezoAdam.ts";
export { leanMomentum, type LeanMomentumOptions } from "./tuners/leanMomentum.ts";
export { leanAdam, type LeanAdamOptions } from "./tuners/leanAdam.ts";
export { mezoLayers, type MezoLayersOptions } from "./tuners/mezoLayers.ts";
export { mezoSign } from "./tuners/mezoSign.ts";
export { mezoConservative, type MezoConservativeOptions } from "./tuners/mezoConservative.ts";
export { forwardGradient, type ForwardGradientOptions } from "./tuners/forwardGradient.ts";
export { adam, type AdamOptions, adamw } from "./tuners/adam.ts";
export { sgd, type SgdOptions } from "./tuners/sgd.ts";
export { layerGradientNorms, layerGroups, type LayerGroup } from "./tuners/layers.ts";
export type { Derivative, Gradient, Objective, StepAt, StepResult, Training, Tuner } from "./tuners/tuner.ts";
export type { AdaptableNetwork, Adapted, Adapter, LoraPart, LoraParts } from "./adapters/adapter.ts";
export { lora, type LoraOptions } from "./adapters/lora.ts";
export { prefix, type PrefixInit, type PrefixOptions } from "./adapters/prefix.ts";
export { headTuning } from "./adapters/head.ts";
export { mergeLora } from "./adapters/lora.ts";
export { loadAdapter, saveAdapter, type SaveAdapterOptions, savedAdapter } from "./adapters/peft.ts";
export { evaluate, evaluateMajority, type EvaluateOptions } from "./experiment/evaluate.ts";
export { probe, type ProbeOptions } from "./experiment/probe.ts";
export { adaptedModel } from "./experiment/finite.ts";
export { tune } from "./experiment/tune.ts";
export type { TuneOptions } from "./experiment/tuneOptions.ts";
export type { RunRecorder } from "./record/run.ts";
export { replay, type Replayed, type ReplayOptions } from "./experiment/replay.ts";
export { bestStep, type ChooseBy, cut, stepsTaken, undo } from "./record/run.ts";
export { rescore, type RescoreOptions } from "./experiment/rescore.ts";
export { type Difference, diff, type Parting } from "./record/diff.ts";
export { partingText } from "./record/text.ts";
export { diagnose, type DiagnoseOptions, type Diagnosis } from "./lab/diagnose.ts";
export { taskObjective, type TaskObjectiveOptions } from "./lab/landscape.ts";
export { type Landscape, landscape, type Slope } from "./lab/landscape.ts";
export { type Estimate, type Spectrum, spectrum, type SpectrumOptions } from "./lab/spectrum.ts";
export type { Ritz } from "./lab/spectrum.ts";
export { accuracy, exactMatch, f1, type Measure } from "./loss/score.ts";
export type { Begin, LabelledBatch } from "./loss/encode.ts";
export { compactRun, readCompact } from "./record/compact.ts";
export { type Found, readRun, readUnfinished } from "./record/read.ts";
export { type OpenRun, resumeRun } from "./record/write.ts";
export { createRunFile, type RunFile, writeRun } from "./record/write.ts";
export type {
  Cost,
  NamedOptions,
  Run,
  RunHeader,
  RunSettings,
  Score,
  StepRecord,
  UnfinishedRun,
} from "./record/run.ts";
export { markdownTable, table } from "./report/table.ts";
export { taskTable } from "./report/table.ts";
export { plotAccuracyMemory } from "./report/plot.ts";
export { diagnosisText } from "./lab/report.ts";
export { plotPlateau } from "./lab/report.ts";
export { saveFigure } from "./report/render.ts";
export type { Figure } from "./report/style.ts";
export type { PaperColumn } from "./measure/paper.ts";
