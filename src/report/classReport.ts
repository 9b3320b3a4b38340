import type { Report } from "../experiment/report.ts";
import { numberColumns, percent, toTerminal, whole } from "./table.ts";

/** A report for the terminal: accuracy, each class's precision, recall and F1, which classes are taken for which, and how far probabilities are to be trusted. */
export function classReport(found: Report): string {
  const { n, accuracy, standardError, on } = found;
  const head = `Of ${whole(n)} ${on} rows ${percent(accuracy)} ± ${percent(standardError)} % are answered rightly.`;
  return [head, "", scoresTable(found), "", confusionTable(found), "", calibrationText(found)].join("\n");
}

function scoresTable({ classes, macro, n }: Report): string {
  const cells = (label: string, one: Report["macro"], rows: number): string[] => [
    ...[label, percent(one.precision), percent(one.recall), percent(one.f1), whole(rows)],
  ];
  const columns = numberColumns(["class", "precision, %", "recall, %", "F1, %", "rows"]);
  const rows = [...classes.map((one) => cells(one.label, one, one.support)), cells("mean", macro, n)];
  return toTerminal({ columns, rows }, true);
}

function confusionTable({ labels, confusion }: Report): string {
  const columns = numberColumns(["rows of ↓ answered →", ...labels]);
  return toTerminal({ columns, rows: labels.map((label, i) => [label, ...confusion[i]!.map(whole)]) }, true);
}

function calibrationText({ calibration: { error, bins } }: Report): string {
  const mean = (field: "confidence" | "accuracy"): number =>
    bins.reduce((sum, bin) => sum + bin.n * bin[field], 0) / bins.reduce((sum, bin) => sum + bin.n, 0);
  const [sure, right] = [mean("confidence"), mean("accuracy")];
  const tilt = sure > right ? "too sure of them" : "less sure of them than it could be";
  return `Its probability of an answer is ${percent(sure)} % in the mean and ${percent(right)} % are right: ${tilt}, by ${percent(error)} points (expected calibration error).`;
}
