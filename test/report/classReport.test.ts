import { expect, test } from "vitest";
import type { Report } from "../../src/experiment/report.ts";
import { reportMarkdown, reportTable } from "../../src/report/classes.ts";
import { plotReliability } from "../../src/report/reliability.ts";
import { toSvg } from "../../src/report/render.ts";

const EMPTY = { n: 0, confidence: 0, accuracy: 0 };
const made: Report = {
  ...{ task: "Mood", model: "tiny", on: "test", n: 8, accuracy: 0.625, standardError: 0.171, loss: 0.7 },
  labels: ["calm", "cross"],
  confusion: [
    [3, 1],
    [2, 2],
  ],
  classes: [
    { label: "calm", precision: 0.6, recall: 0.75, f1: 2 / 3, support: 4 },
    { label: "cross", precision: 2 / 3, recall: 0.5, f1: 4 / 7, support: 4 },
  ],
  macro: { precision: 0.633, recall: 0.625, f1: 0.619 },
  calibration: {
    error: 0.1,
    bins: [
      { from: 0, to: 0.5, ...EMPTY },
      { from: 0.5, to: 0.75, n: 6, confidence: 0.7, accuracy: 0.5 },
      { from: 0.75, to: 1, n: 2, confidence: 0.8, accuracy: 1 },
    ],
  },
};

test("a report's text has a line for each class, their means, the confusion matrix, and what the numbers are", () => {
  const text = reportTable(made);
  for (const line of [
    /calm +│ +60\.0 +│ +75\.0 +│ +66\.7 +│ +4 /,
    /cross +│ +66\.7 +│ +50\.0 +│ +57\.1 +│ +4 /,
    /mean over classes +│ +63\.3 +│ +62\.5 +│ +61\.9 +│ +8 /,
    /calm +│ +3 +│ +1 /,
    /cross +│ +2 +│ +2 /,
    /Mood, model tiny: accuracy 62\.5 ± 17\.1 % \(binomial standard error\) on 8 test rows\./,
    /Expected calibration error 10\.0 %, over 3 bins of equal width \(Guo et al\. 2017\)\./,
  ])
    expect(text).toMatch(line);
});

test("a report in Markdown has the same tables, and leaves out a confusion matrix that is wider than a page", () => {
  expect(reportMarkdown(made)).toContain("| cross | 2 | 2 |");
  const names = Array.from({ length: 13 }, (_, i) => `class ${i}`);
  const confusion = names.map((_, i) => names.map((_, j) => Number(i === j)));
  const many = { ...made, labels: names, confusion, classes: names.map((label) => ({ ...made.classes[0]!, label })) };
  expect(reportMarkdown(many)).toContain("| class 12 | 60.0 | 75.0 | 66.7 | 4 |");
  expect(reportMarkdown(many)).not.toContain("as class 12");
});

test("the reliability picture has a bar at each bin's accuracy, a mark at its mean probability, and its share of the answers below", () => {
  const { data } = plotReliability(made);
  const [diagonal, bars, marks, counts] = data;
  expect(diagonal).toMatchObject({ x: [0, 100], y: [0, 100], mode: "lines" });
  expect(bars).toMatchObject({ type: "bar", x: [62.5, 87.5], width: [25, 25], y: [50, 100] });
  expect(marks).toMatchObject({ x: [62.5, 87.5], y: [70, 80], mode: "markers" });
  expect(counts).toMatchObject({ type: "bar", x: [62.5, 87.5], y: [75, 25], yaxis: "y2" });
});

test("the drawn picture names its axes, the score and the error, and says what they are", async () => {
  const svg = await toSvg(plotReliability(made));
  const texts = [...svg.matchAll(/>([^<>]+)<\/t(?:ext|span)>/g)].map(([, text]) => text);
  expect(texts).toEqual(
    expect.arrayContaining([
      ...["Right answers (%)", "Answers (%)", "Probability of the answer (%)", "calibrated", "mean probability"],
    ]),
  );
  expect(svg).toContain(", 8 test rows, 62.5 % right, expected calibration error 10.0 %");
  expect(svg).not.toMatch(/<text[^>]* x="-/);
});
