import type { Report } from "../experiment/report.ts";
import { numberColumns, percent, type Table, toMarkdown, toTerminal, whole } from "./table.ts";

/** Beyond this a confusion matrix is wider than a screen; the report has it all the same. */
const MOST_CLASSES = 12;

/**
 * A report as text for the terminal: each class's precision, recall and F1 with their means, and, of at most 12 classes, the confusion
 * matrix, with a caption that says what the numbers are.
 */
export function reportTable(report: Report): string {
  return listTables(report)
    .map((table) => toTerminal(table, true))
    .join("\n\n");
}

/** The same tables in Markdown. */
export function reportMarkdown(report: Report): string {
  return listTables(report).map(toMarkdown).join("\n\n");
}

function listTables(report: Report): Table[] {
  const isNarrow = report.labels.length <= MOST_CLASSES;
  return [classTable(report), ...(isNarrow ? [confusionTable(report)] : [])];
}

function classTable({ classes, macro, n, ...report }: Report): Table {
  const { task, model, on, accuracy, standardError, calibration } = report;
  const line = (label: string, of: Report["macro"], rows: number): string[] => [
    label,
    ...[of.precision, of.recall, of.f1].map(percent),
    whole(rows),
  ];
  return {
    columns: numberColumns(["class", "precision, %", "recall, %", "F1, %", "rows"]),
    rows: [...classes.map((one) => line(one.label, one, one.support)), line("mean over classes", macro, n)],
    caption: [
      `${task}, model ${model}: accuracy ${percent(accuracy)} ± ${percent(standardError)} % (binomial standard error) on ${whole(n)} ${on} rows.`,
      `Expected calibration error ${percent(calibration.error)} %, over ${calibration.bins.length} bins of equal width (Guo et al. 2017).`,
    ],
  };
}

function confusionTable({ labels, confusion }: Report): Table {
  return {
    columns: numberColumns(["rows of class", ...labels.map((label) => `as ${label}`)]),
    rows: labels.map((label, k) => [label, ...confusion[k]!.map(whole)]),
  };
}
