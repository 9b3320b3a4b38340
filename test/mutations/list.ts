/** A wrong line that a test must notice. */
export interface Mutation {
  /** Below src/. */
  readonly file: string;
  /** The text as it is, once in that file, and what is put in its place. */
  readonly from: string;
  readonly to: string;
  /** The test file, below test/, that must fail. */
  readonly by: string;
}

const mutationsBy = (
  by: string,
  ...lines: readonly (readonly [file: string, from: string, to: string])[]
): Mutation[] => lines.map(([file, from, to]) => ({ file, from, to, by }));

/** Wrong lines in what reported numbers are made by, each with the test file that notices it. */
export const MUTATIONS: readonly Mutation[] = [
  ...mutationsBy(
    "experiment/scripted/tune.test.ts",
    ["experiment/objective.ts", "-(await maximize.of", "+(await maximize.of"],
    ["experiment/objective.ts", "share: weights[i]! / total", "share: 1 / pieces.length"],
    ["experiment/objective.ts", 'maximize ? "candidates" : task.loss', "task.loss"],
    ["experiment/objective.ts", "pass.loss(seen, head).mul(share)", "pass.loss(seen, head)"],
    ["experiment/objective.ts", "pieces[i]!.share * both[side]", "both[side] / pieces.length"],
    ["experiment/measures.ts", 'generated("exact match", matches)', 'generated("exact match", overlap)'],
    ["experiment/measures.ts", "{ begin: batch.begin }", "{}"],
    ["experiment/losses.ts", "-mean(logProbs.flat())", "-mean(logProbs.map(mean))"],
    ["experiment/losses.ts", "of[gold[i]![0]!]!)", "of[gold[i]!.at(-1)!]!)"],
    ["experiment/lossPasses.ts", "-tokens) as tf.Scalar", "-answers.length) as tf.Scalar"],
    ["experiment/lossPasses.ts", "-examples) as tf.Scalar", "-right.length) as tf.Scalar"],
    ["experiment/answerRows.ts", "NO_CANDIDATE = -1e9", "NO_CANDIDATE = 0"],
    ["experiment/differentiate.ts", "derivative: sum.derivative + derivative,", "derivative,"],
    ["adapters/headTuning.ts", "tf.mul(head.weight, 1)", "tf.mul(head.weight, 0)"],
  ),
  ...mutationsBy(
    "experiment/scripted/scores.test.ts",
    [
      "experiment/scorer.ts",
      "gold[i]!.includes(of.indexOf(Math.max(...of)))",
      "gold[i]![0] === of.indexOf(Math.max(...of))",
    ],
    [
      "experiment/scorer.ts",
      "meanScore(values.map((value) => value.f1))",
      "meanScore(values.map((value) => value.exact))",
    ],
    ["experiment/scorer.ts", "demonstrations(from + i)", "demonstrations(i)"],
    ["experiment/candidateScores.ts", "b, 0) / of.length)", "b, 0))"],
    ["experiment/generateAnswers.ts", 'text(ids).split("\\n")[0]!', "text(ids)"],
    ["experiment/generateAnswers.ts", 'text(ids).includes("\\n")', "false"],
    ["experiment/generateAnswers.ts", "MAX_NEW_TOKENS = 50", "MAX_NEW_TOKENS = 49"],
    ["experiment/generateAnswers.ts", "answers[items[i]!] = ", "answers[i] = "],
    ["experiment/probe.ts", "classes.length === 2 ? 0.5 : 1", "1"],
    ["experiment/logisticFolds.ts", "accuracy > best.accuracy", "accuracy >= best.accuracy"],
    ["tasks/score.ts", "squares / (n - 1) / n", "squares / n / n"],
    ["tasks/score.ts", "(accuracy * (1 - accuracy)) / n", "(accuracy * (1 - accuracy)) / (n - 1)"],
    ["tasks/majority.ts", "classCounts(task.train)", "classCounts(task.test)"],
    ["tasks/demonstrations.ts", "options[gold[0]!]!", "options[gold.at(-1)!]!"],
  ),
  ...mutationsBy(
    "experiment/scripted/looks.test.ts",
    ["experiment/trained.ts", "isBest(dev, earlier, chooseBy)", "true"],
    ["experiment/trained.ts", " || step === steps", ""],
    [
      "experiment/trained.ts",
      'scores.findLast(({ on }) => on === "dev")',
      'scores.findLast(({ on }) => on === "test")',
    ],
    ["experiment/cut.ts", "score.loss! < best.loss!", "score.loss! <= best.loss!"],
    ["experiment/cut.ts", "score.score > best.score", "score.score >= best.score"],
    ["experiment/cut.ts", "score.step <= step)", "score.step < step)"],
    ["experiment/tuneOptions.ts", "autoregressive: { times: 5", "autoregressive: { times: 4"],
    ["experiment/tuneOptions.ts", 'times: 10, chooseBy: "score"', 'times: 10, chooseBy: "loss"'],
  ),
  ...mutationsBy(
    "experiment/experiment.test.ts",
    ["experiment/batches.ts", "{seed}/", "{epoch}/"],
    ["experiment/batches.ts", "(step % perEpoch) * size", "((step + 1) % perEpoch) * size"],
  ),
  ...mutationsBy(
    "tuners/contract.test.ts",
    ["tuners/descend.ts", '"bias", "layer_norm", "layernorm"', '"bias", "layernorm"'],
    ["tuners/sgd.ts", "decays(name.toLowerCase()) ? weightDecay : 0", "decays(name) ? weightDecay : 0"],
    ["tuners/adam.ts", "clipNorm = 1 }", "clipNorm = 0 }"],
    ["tuners/onePoint.ts", "decay: lr * weightDecay", "decay: 0"],
  ),
  ...mutationsBy(
    "tasks/split.test.ts",
    ["tasks/split.ts", "draw(test, most, TEST_SEED)", "draw(test, most, 0)"],
    ["tasks/split.ts", "of(2 * k);", "of(k);"],
  ),
  ...mutationsBy(
    "report/summary.test.ts",
    ["report/summary.ts", "run.scores.findLast(", "run.scores.find("],
    ["report/summary.ts", "(values.length - 1) / values.length", "values.length / values.length"],
    ["report/summary.ts", "predicted.length === runs.length", "predicted.length > 0"],
    ["report/comparable.ts", "...(weights !== undefined && { weights }),", ""],
    ["report/comparable.ts", '...named("split", split), ', ""],
  ),
  ...mutationsBy(
    "report/table.test.ts",
    ["report/format.ts", "2 ** 20", "1e6"],
    ["report/table.ts", "paper.scores[summary.method]?.toFixed(1)", "paper.scores.MeZO?.toFixed(1)"],
    ["report/table.ts", "[peakBytes, predictedBytes]", "[predictedBytes, peakBytes]"],
  ),
  ...mutationsBy(
    "report/paper.test.ts",
    ["report/paper.ts", "row[column]!", "row[0]!"],
    ["report/paper.ts", "> 200 ? 512 : 16", "> 200 ? 16 : 512"],
  ),
  ...mutationsBy(
    "report/plot.test.ts",
    ["report/runMarks.ts", "y: [100 * summary.score], mode", "y: [summary.score], mode"],
    ["report/runMarks.ts", "100 * standardError);", "standardError);"],
    ["report/runMarks.ts", "100 * testScore(run).score),", "100 * testScore(own[0]!).score),"],
    ["report/paperMarks.ts", "x: [MARK_AT], y: [score]", "x: [MARK_AT], y: [score / 100]"],
    ["report/majorityLine.ts", "const y = 100 * score;", "const y = score;"],
    ["report/scales.ts", "100 * (score - standardError)", "100 * (score + standardError)"],
  ),
  ...mutationsBy(
    "report/groups.test.ts",
    ["report/groups.ts", "header.data, header.split]", "header.data]"],
    ["report/groups.ts", "header.model, header.weights, ", "header.model, "],
  ),
];
