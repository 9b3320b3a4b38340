export { KitError } from "./error.ts";
export type { Progress, ProgressEvent } from "./tensor/progress.ts";
export { type BackendName, type BackendOptions, backendNames, useBackend } from "./tensor/backend.ts";
export type { FormedProducts, Products } from "./tensor/products.ts";

// Models and how they are run.
export { BUNDLED_MODEL, type LoadOptions, loadModel } from "./models/load.ts";
export type { LanguageModel, LoadedNetwork } from "./models/network.ts";
export { saveModel, saveUntrained, type SaveModelOptions } from "./models/save.ts";
export { generateIds, type GenerateIdsOptions } from "./nn/generate.ts";
export { features } from "./nn/run.ts";
export type { TokenBatch } from "./nn/batch.ts";
export type { Tokenizer } from "./text/tokenizer.ts";
export type { SpecialToken } from "./text/specialIds.ts";
export { type ChatFormat, type ChatMessage, renderChat } from "./text/chatTemplate.ts";
export { type InspectedTensor, type Inspection, inspectModel } from "./models/inspect.ts";

// Tasks.
export { loadTask, type LoadTaskOptions, type Split } from "./tasks/load.ts";
export { classification, type ClassificationOptions } from "./tasks/classification.ts";
export { labelField, textField } from "./tasks/definitions/fields.ts";
export { MASK, type MaskedPart, type MaskedPrompt } from "./text/maskedPrompt.ts";
export type { Fields, Quoting } from "./tasks/read/table.ts";
export type { DataSource, Dropped, Example, Form, FormDefinition, Forms } from "./tasks/task.ts";
export type { Loss, Metric, Task, TaskDefinition } from "./tasks/task.ts";

// The verbs.
export { evaluate, evaluateMajority, type EvaluateOptions } from "./experiment/evaluate.ts";
export { probe, type ProbeOptions } from "./experiment/probe.ts";
export { tune } from "./experiment/tune.ts";
export type { Cluster, TuneOptions } from "./experiment/tuneOptions.ts";
export { replay, type Replayed, type ReplayOptions } from "./experiment/replay.ts";
export { inMemory, type InMemoryOptions } from "./cluster/inMemory.ts";
export { joinCluster, type JoinedCluster, type NatsOptions, natsPort } from "./cluster/join.ts";
export { coordinate, type CoordinateOptions } from "./cluster/coordinator.ts";
export { work, type WorkOptions } from "./cluster/worker.ts";
export type { Port } from "./cluster/port.ts";
export { rescore, type RescoreOptions } from "./experiment/rescore.ts";
export { accuracy, exactMatch, f1, type Measure } from "./loss/score.ts";
export type { Begin, LabelledBatch } from "./loss/encode.ts";
export type { EncodedExample } from "./text/prompt.ts";

// Tuned models, and what they answer.
export { bestModel, type BestModelOptions, type Tuned } from "./experiment/tuned.ts";
export { saveTuned } from "./experiment/saveTuned.ts";
export { loadTuned, type LoadTunedOptions } from "./experiment/loadTuned.ts";
export { classify, type Answer, type ClassifyOptions } from "./experiment/classify.ts";
export { generate, type GenerateOptions } from "./experiment/generate.ts";
export { report, type ReportOptions } from "./experiment/report.ts";
export type { CalibrationBin, ClassScore, Report } from "./experiment/report.ts";

// Tuners and adapters.
export * from "./tuners/index.ts";
export * from "./adapters/index.ts";
export { mergeLora } from "./adapters/lora.ts";
export { loadAdapter, saveAdapter, savedAdapter, type SaveAdapterOptions } from "./adapters/peft.ts";
export { gaussian, rademacher, type Draw, type Parameter, type Perturb } from "./tensor/parameter.ts";
export { layerGradientNorms, layerGroups, type LayerGroup } from "./tuners/layers.ts";

// Runs as values and as files.
export { bestStep, cut, stepsTaken, undo } from "./record/steps.ts";
export { diff, partingText, type Difference, type Parting } from "./record/diff.ts";
export { readRun, readUnfinished, type ReadResult } from "./record/read.ts";
export { createRunFile, resumeRun, writeRun, type OpenRun, type RunFile } from "./record/write.ts";
export { compactRun, readCompact } from "./record/compact.ts";
export type { ChooseBy, Cost, NamedOptions, Run, RunHeader, RunRecorder, RunSettings } from "./record/run.ts";
export type { Score, StepRecord, UnfinishedRun } from "./record/run.ts";

// Tables and pictures.
export { markdownTable, table, taskTable } from "./report/runTables.ts";
export { reportMarkdown, reportTable } from "./report/classes.ts";
export { plotReliability } from "./report/reliability.ts";
export { plotAccuracyMemory } from "./report/plot.ts";
export { saveFigure } from "./report/render.ts";
export type { Figure } from "./report/style.ts";
export type { PaperColumn } from "./measure/paper.ts";

// What tuners that users write are made of: the contract, and MeZO's parts.
export { defineTuner, type TunerBody } from "./tuners/define.ts";
export type { Derivative, Gradient, Objective, StepAt, StepResult } from "./tuners/tuner.ts";
export type { Training, Tuner, TunerOptions } from "./tuners/tuner.ts";
export { algorithm1, estimate, summarizeEstimate, summarizeEstimates, type Estimate } from "./tuners/mezo.ts";
export { describeZeroth, zerothOptions, zerothOrder, type Schedule, type ZerothOptions } from "./tuners/zeroth.ts";
export type { Line } from "./tuners/line.ts";

// What adapters and model families that users write are made of.
export { adaptedModel, defineAdapter, type AdapterOptions } from "./adapters/adapter.ts";
export type { AdaptableNetwork, Adapted, Adapter, LoraPart, LoraParts } from "./adapters/adapter.ts";
export { defineFamily, type Limits, type ModelFamily } from "./models/family.ts";
export type { Config } from "./models/config.ts";
export type { Adaptation, Head, KeysValues, Layer, LayerContext, Network } from "./nn/network.ts";
export { attend, feedForwardPart, freeing, project, readProjection } from "./nn/layers.ts";
export type { Projection, Weights } from "./nn/layers.ts";
export { add, multiply } from "./kernels/elementwise.ts";
export { embed } from "./kernels/embed.ts";
export { linear } from "./kernels/linear.ts";
export { layerNorm, rmsNorm } from "./kernels/norm.ts";
export { rotary } from "./kernels/rotary.ts";
