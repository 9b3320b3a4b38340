export {
  type MethodGrid,
  type PaperFamily,
  type PaperGrid,
  paperGrid,
  paperRates,
} from "../measure/paper.ts";
export type { PerMethodSetting } from "../measure/request.ts";
export { type PairedDifference, pairedDifference } from "../report/paired.ts";
export { palette } from "../report/style.ts";
export { mean, standardDeviation as deviation, standardErrorOfMean as standardError } from "../report/summary.ts";
export {
  type Axis,
  bars,
  chart,
  type Look,
  line,
  markedLine,
  panels,
  points,
  type Series,
} from "./charts.ts";
export { display, type MimeBundle, type Shown, stopIfInterrupted } from "./display.ts";
export { type Drawing, figure } from "./figure.ts";
export { liveChart, liveProgress } from "./live.ts";
export type { RateGrid } from "./measure.ts";
export { type MeasureCellOptions as MeasureOptions, measure, readRuns } from "./measure.ts";
export {
  besidePaper,
  lossCurves,
  meanScores,
  methodScores,
  taskScores,
  tasksBesidePaper,
  testScores,
} from "./results.ts";
export { type Recording, recorded, type Scale, scale, settingsFor } from "./runs.ts";
export { type Knob, type Position, slider } from "./slider.ts";
export { type Cell, type Frame, frame, type Row, type ShowOptions, show } from "./tables.ts";
export { methodsAboveChance, tasksAboveUntrained } from "./verdict.ts";
