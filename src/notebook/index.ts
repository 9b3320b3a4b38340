export {
  type MethodGrid,
  type PaperFamily,
  type PaperGrid,
  paperGrid,
  paperRates,
} from "../measure/paper.ts";
export { lossCurves, methodScores } from "./charts.ts";
export { display, type MimeBundle, type Shown, stopIfInterrupted } from "./display.ts";
export { type Drawing, figure } from "./figure.ts";
export type { RateGrid } from "./grid.ts";
export { liveChart, liveProgress } from "./live.ts";
export { type MeasureOptions, measure, type PerMethodSetting, readRuns } from "./measure.ts";
export { type Recording as Past, recorded, type Scale, scale, settingsFor } from "./runs.ts";
export {
  besidePaper,
  type Cell,
  type Frame,
  frame,
  type Row,
  type ShowOptions,
  show,
  tasksBesidePaper,
} from "./tables.ts";
