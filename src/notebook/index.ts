export {
  type MethodGrid,
  type PaperFamily,
  type PaperGrid,
  paperGrid,
  paperRates,
} from "../report/paperGrid.ts";
export { display, type MimeBundle, type Shown } from "./display.ts";
export { type Drawing, figure } from "./figure.ts";
export { type Cell, type Frame, frame, type Row } from "./frame.ts";
export type { RateGrid } from "./grid.ts";
export { stopIfInterrupted } from "./interrupt.ts";
export { liveChart } from "./liveChart.ts";
export { lossCurves } from "./lossCurves.ts";
export { type MeasureOptions, measure, type PerMethodSetting, readRuns } from "./measure.ts";
export { methodScores } from "./methodBars.ts";
export { besidePaper, tasksBesidePaper } from "./paperTable.ts";
export { liveProgress } from "./progress.ts";
export { type Past, recorded } from "./recorded.ts";
export { type Scale, scale, settingsFor } from "./settings.ts";
export { type ShowOptions, show } from "./show.ts";
