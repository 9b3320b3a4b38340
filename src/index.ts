export { KitError } from "./error.ts";
export { backendNames, useBackend, type BackendName } from "./tensor/backend.ts";
export type { Progress, ProgressEvent } from "./tensor/progress.ts";
export type { Parameter } from "./tensor/parameter.ts";
export { gaussian, rademacher, type Draw, type Perturb } from "./tensor/parameter.ts";
export { BUNDLED_MODEL, loadModel } from "./models/load.ts";
export type { LanguageModel } from "./models/network.ts";
export { saveModel, type SaveModelOptions } from "./models/save.ts";
export { saveUntrained } from "./models/save.ts";
export type { LoadedNetwork } from "./models/network.ts";
// What model families and adapters that users write are made of.
export type { Config } from "./models/config.ts";
export { defineFamily, type Limits, type ModelFamily } from "./models/family.ts";
export {
  attend,
  feedForwardPart,
  freeing,
  type Projection,
  project,
  readProjection,
  type Weights,
} from "./nn/layers.ts";
export { add, multiply } from "./kernels/elementwise.ts";
export { embed } from "./kernels/embed.ts";
export { linear } from "./kernels/linear.ts";
export { layerNorm, rmsNorm } from "./kernels/norm.ts";
export { rotary } from "./kernels/rotary.ts";
export type { Adaptation, Head, Layer, LayerContext, Network, KeysValues } from "./nn/network.ts";
export { features } from "./nn/run.ts";
export { generate, type GenerateOptions } from "./nn/generate.ts";
export type { TokenBatch } from "./nn/batch.ts";
export type { Tokenizer } from "./text/tokenizer.ts";
export type { EncodedExample } from "./text/prompt.ts";
export { MASK, type MaskedPart, type MaskedPrompt } from "./text/maskedPrompt.ts";
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
export * from "./tuners/index.ts";
export { layerGradientNorms, layerGroups, type LayerGroup } from "./tuners/layers.ts";
export type { Schedule, ZerothOptions } from "./tuners/zeroth.ts";
export type { TunerOptions } from "./tuners/tuner.ts";
export { defineTuner, type TunerBody } from "./tuners/define.ts";
export type { Derivative, Gradient, Objective, StepAt, StepResult, Training, Tuner } from "./tuners/tuner.ts";
export type { AdaptableNetwork, Adapted, Adapter, LoraPart, LoraParts } from "./adapters/adapter.ts";
export * from "./adapters/index.ts";
export { type AdapterOptions, defineAdapter } from "./adapters/adapter.ts";
export { mergeLora } from "./adapters/lora.ts";
export { loadAdapter, saveAdapter, type SaveAdapterOptions, savedAdapter } from "./adapters/peft.ts";
export { evaluate, evaluateMajority, type EvaluateOptions } from "./experiment/evaluate.ts";
export { probe, type ProbeOptions } from "./experiment/probe.ts";
export { adaptedModel } from "./adapters/adapter.ts";
export { tune } from "./experiment/tune.ts";
export type { TuneOptions } from "./experiment/tuneOptions.ts";
export type { RunRecorder } from "./record/run.ts";
export { replay, type Replayed, type ReplayOptions } from "./experiment/replay.ts";
export type { ChooseBy } from "./record/run.ts";
export { bestStep, cut, stepsTaken, undo } from "./record/steps.ts";
export { rescore, type RescoreOptions } from "./experiment/rescore.ts";
export { type Difference, diff, type Parting } from "./record/diff.ts";
export { partingText } from "./record/diff.ts";
export { accuracy, exactMatch, f1, type Measure } from "./loss/score.ts";
export type { Begin, LabelledBatch } from "./loss/encode.ts";
export { compactRun, readCompact } from "./record/compact.ts";
export { type ReadResult, readRun, readUnfinished } from "./record/read.ts";
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
export { markdownTable, table } from "./report/runTables.ts";
export { taskTable } from "./report/runTables.ts";
export { plotAccuracyMemory } from "./report/plot.ts";
export { saveFigure } from "./report/render.ts";
export type { Figure } from "./report/style.ts";
export type { PaperColumn } from "./measure/paper.ts";
