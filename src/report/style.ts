import type { Method } from "../experiment/run.ts";

/** Methods that are drawn as marks; the majority class is a line. */
export type MarkedMethod = Exclude<Method, "Majority">;

/** Colours of Okabe and Ito, which colour-blind readers can tell apart, and a shape each for print without colour. */
export const marks: Readonly<Record<MarkedMethod, { readonly color: string; readonly symbol: string }>> = {
  "Zero-shot": { color: "#0072B2", symbol: "circle" },
  ICL: { color: "#009E73", symbol: "diamond" },
  MeZO: { color: "#D55E00", symbol: "square" },
};

/** The marked methods in the order of the paper's tables. */
export const markedMethods: readonly MarkedMethod[] = ["Zero-shot", "ICL", "MeZO"];

/** Colours of text, of what stands behind the marks, and of the panel of the paper's numbers. */
export const ink = "#222222";
export const quiet = "#5f5f5f";
export const panelColor = "#f3f3f3";

/** Sizes in pixels: text, smaller text, marks, the picture and its margins. */
export const fontSize = 15;
export const smallFontSize = 13;
export const markSize = 12;
export const picture: { readonly width: number; readonly height: number } = { width: 800, height: 454 };
export const margin: Readonly<Record<"l" | "r" | "t" | "b", number>> = { l: 70, r: 12, t: 40, b: 108 };

/** Shares of the plot's width that the two panels take: our runs by memory, the paper's numbers beside them. */
export const runsPanel: readonly [number, number] = [0, 0.77];
export const paperPanel: readonly [number, number] = [0.8, 1];
