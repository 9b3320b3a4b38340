import { checkOptions, KitError } from "../error.ts";
import { type Begin, checkBegin, encodeBatch } from "../loss/encode.ts";
import { lossFromScores } from "../loss/loss.ts";
import { markRight, scoreCandidates } from "../loss/score.ts";
import type { LanguageModel } from "../models/network.ts";
import { computeAccuracy, hasClasses } from "../tasks/score.ts";
import type { Example, Task } from "../tasks/task.ts";
import type { Progress } from "../tensor/progress.ts";
import { checkFinite } from "./checkFinite.ts";
import { listOptions, softmax } from "./classify.ts";

/** How well a model tells one class, all between 0 and 1. */
export interface ClassScore {
  readonly label: string;
  /** Share of right answers among those that name the class; 0 where none does. */
  readonly precision: number;
  /** Share of the class's rows that are answered rightly; 0 where it has none. */
  readonly recall: number;
  /** Their harmonic mean; 0 where both are 0. */
  readonly f1: number;
  /** Rows of the class. */
  readonly support: number;
}

/** The answers of which the model is about equally sure. */
export interface CalibrationBin {
  /** The answers' probabilities are above `from` and at most `to`. */
  readonly from: number;
  readonly to: number;
  readonly n: number;
  /** Means over the bin: of the probabilities, and of right answers; 0 where it is empty. */
  readonly confidence: number;
  readonly accuracy: number;
}

/** What a model gets right and wrong on one part of a task. */
export interface Report {
  readonly task: string;
  readonly model: string;
  readonly on: "train" | "dev" | "test";
  readonly n: number;
  readonly accuracy: number;
  /** Binomial. */
  readonly standardError: number;
  /** Mean cross entropy over the classes. */
  readonly loss: number;
  readonly labels: readonly string[];
  /** Rows by their class (line) and the model's answer (column), in the order of `labels`. */
  readonly confusion: readonly (readonly number[])[];
  readonly classes: readonly ClassScore[];
  /** Means over the classes, each counting alike. */
  readonly macro: Omit<ClassScore, "label" | "support">;
  readonly calibration: {
    /** Expected calibration error: the mean over all answers of |accuracy − confidence| of their bin. */
    readonly error: number;
    readonly bins: readonly CalibrationBin[];
  };
}

/** Settings of a report. */
export interface ReportOptions {
  /** The part of the data; the test part unless another is named. */
  readonly on?: Report["on"];
  /** As `classify` has it. */
  readonly begin?: Begin;
  readonly onProgress?: Progress;
}

/**
 * What the model, with its weights as they are now, gets right and wrong on a part of the task: the confusion matrix, each class's
 * precision, recall and F1, and whether its probabilities (those of `classify`) are what they say: the expected calibration error
 * over ten bins of equal width (Guo et al. 2017, "On Calibration of Modern Neural Networks"). Where several answers count as right, the
 * row's class is the one that was answered, or else the first. Throws a KitError for tasks whose rows do not share classes.
 */
export async function report(model: LanguageModel, task: Task, options: ReportOptions = {}): Promise<Report> {
  const { on = "test", begin = model.tunedBegin ?? "mezo", onProgress = () => {}, ...unknown } = options;
  checkOptions("report", unknown, ["on", "begin", "onProgress"]);
  checkBegin(begin);
  const part = task[on];
  if (!hasClasses(task) || part.length === 0)
    throw new KitError(
      `A report on the classes of ${task.name} was asked for, but its rows have none in common: look at the score of evaluate instead.`,
    );
  const { examples, gold } = encodeBatch(model, part, begin);
  const told = (done: number): void => onProgress({ label: "report", part: on, done, total: part.length });
  const scores = await scoreCandidates(model, examples, told);
  await checkFinite(model, scores.flat());
  const answers = scores.map((of) => of.indexOf(Math.max(...of)));
  const truths = answers.map((answer, i) => (gold[i]!.includes(answer) ? answer : gold[i]![0]!));
  const labels = labelsOf(task, part);
  const confusion = countConfusion(truths, answers, labels.length);
  const classes = labels.map((label, k): ClassScore => ({ label, ...scoreClass(confusion, k) }));
  return {
    ...{ task: task.name, model: model.id, on },
    ...computeAccuracy(markRight(scores, gold)),
    ...{ loss: lossFromScores("candidates", scores, gold), labels, confusion, classes },
    macro: { precision: meanOf(classes, "precision"), recall: meanOf(classes, "recall"), f1: meanOf(classes, "f1") },
    calibration: calibrate(
      scores.map((of) => Math.max(...softmax(of))),
      answers.map((answer, i) => answer === truths[i]),
    ),
  };
}

function labelsOf({ definition }: Task, [first]: readonly Example[]): readonly string[] {
  return definition?.classNames ?? listOptions(first!);
}

function countConfusion(truths: readonly number[], answers: readonly number[], classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (const [i, truth] of truths.entries()) counts[truth]![answers[i]!]!++;
  return counts;
}

/** Precision, recall, F1 and support of class `k`. */
function scoreClass(confusion: readonly (readonly number[])[], k: number): Omit<ClassScore, "label"> {
  const right = confusion[k]![k]!;
  const support = confusion[k]!.reduce((a, b) => a + b, 0);
  const named = confusion.reduce((sum, row) => sum + row[k]!, 0);
  return {
    precision: named === 0 ? 0 : right / named,
    recall: support === 0 ? 0 : right / support,
    f1: right === 0 ? 0 : (2 * right) / (named + support),
    support,
  };
}

function meanOf(classes: readonly ClassScore[], field: "precision" | "recall" | "f1"): number {
  return classes.reduce((sum, one) => sum + one[field], 0) / classes.length;
}

const BINS = 10;

/** The bins of Guo et al. (2017): ((m − 1) / 10, m / 10]. */
function calibrate(confidences: readonly number[], isRight: readonly boolean[]): Report["calibration"] {
  const binOf = confidences.map((p) => Math.min(BINS - 1, Math.max(0, Math.ceil(p * BINS) - 1)));
  const bins = Array.from({ length: BINS }, (_, m): CalibrationBin => {
    const own = binOf.flatMap((bin, i) => (bin === m ? [i] : []));
    const mean = (values: readonly number[]): number =>
      values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
    return {
      ...{ from: m / BINS, to: (m + 1) / BINS, n: own.length },
      confidence: mean(own.map((i) => confidences[i]!)),
      accuracy: mean(own.map((i) => Number(isRight[i]))),
    };
  });
  const error = bins.reduce((sum, bin) => sum + bin.n * Math.abs(bin.accuracy - bin.confidence), 0);
  return { error: error / confidences.length, bins };
}
