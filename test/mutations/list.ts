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
    ["loss/objective.ts", "-(await maximize.of", "+(await maximize.of"],
    ["loss/objective.ts", "share: counts[i]! / total", "share: 1 / batches.length"],
    ["loss/objective.ts", 'maximize ? "candidates" : task.loss', "task.loss"],
    ["loss/gradient.ts", "tf.mul(part, share)", "part"],
    ["loss/objective.ts", "lossPlus += share * plus", "lossPlus += plus / batches.length"],
    ["loss/score.ts", 'answerMeasure("exact match", matchesExactly)', 'answerMeasure("exact match", tokenF1)'],
    ["loss/score.ts", "{ begin: batch.begin }", "{}"],
    [
      "loss/loss.ts",
      "logProbs: (tokens) => tokens",
      "logProbs: (tokens) => [tokens.reduce((a, b) => a + b) / tokens.length]",
    ],
    ["loss/loss.ts", "logProbs(of, gold[i]![0]!)", "logProbs(of, gold[i]!.at(-1)!)"],
    [
      "loss/loss.ts",
      "rightAnswers(batch).reduce((sum, { optionLength }) => sum + optionLength, 0)",
      "batch.gold.length",
    ],
    ["loss/gradient.ts", "-total) as tf.Scalar", "-right.length) as tf.Scalar"],
    ["loss/candidates.ts", "NO_CANDIDATE = -1e9", "NO_CANDIDATE = 0"],
    ["loss/gradient.ts", "derivative: sum.derivative + part.derivative }", "derivative: part.derivative }"],
    ["adapters/head.ts", "tf.mul(head.weight, 1)", "tf.mul(head.weight, 0)"],
  ),
  ...mutationsBy(
    "loss/calibrate.test.ts",
    ["loss/calibrate.ts", "sum - without[option]!", "sum + without[option]!"],
    ["loss/calibrate.ts", "optionLength * means[i]![option]!", "means[i]![option]!"],
    ["loss/calibrate.ts", "contentFree.slice(from, from + some.length)", "contentFree.slice(0, some.length)"],
    ["loss/calibrate.ts", "demonstrations(i))", "[])"],
    ["loss/calibrate.ts", "choice: gains", "choice: scores"],
    ["loss/calibrate.ts", "(isBare ? model.begin.config : undefined)", "undefined"],
  ),
  ...mutationsBy(
    "experiment/scripted/scores.test.ts",
    [
      "loss/score.ts",
      "Number(gold[i]!.includes(of.indexOf(Math.max(...of))))",
      "Number(gold[i]![0] === of.indexOf(Math.max(...of)))",
    ],
    ["loss/score.ts", "tokenF1(answer, right)", "matchesExactly(answer, right)"],
    ["loss/score.ts", "demonstrations(from + i)", "demonstrations(i)"],
    ["loss/candidates.ts", "b, 0) / of.length)", "b, 0))"],
    ["loss/generation.ts", 'text(ids).split("\\n")[0]!', "text(ids)"],
    ["loss/generation.ts", 'text(ids).includes("\\n")', "false"],
    ["loss/generation.ts", "MAX_NEW_TOKENS = 50", "MAX_NEW_TOKENS = 49"],
    ["loss/passes.ts", "results[item] = of[i]!", "results[i] = of[i]!"],
    ["experiment/probe.ts", "classes.length === 2 ? 0.5 : 1", "1"],
    ["experiment/logistic.ts", "accuracy > best.accuracy", "accuracy >= best.accuracy"],
    ["tasks/score.ts", "squares / (n - 1) / n", "squares / n / n"],
    ["tasks/score.ts", "(accuracy * (1 - accuracy)) / n", "(accuracy * (1 - accuracy)) / (n - 1)"],
    ["tasks/score.ts", "countClasses(task.train)", "countClasses(task.test)"],
    ["tasks/split.ts", "options[gold[0]!]!", "options[gold.at(-1)!]!"],
  ),
  ...mutationsBy(
    "experiment/scripted/answers.test.ts",
    ["experiment/classify.ts", "scores.indexOf(Math.max(", "scores.indexOf(Math.min("],
    ["experiment/classify.ts", "Math.exp(score - top)", "Math.exp(top - score)"],
    ["experiment/classify.ts", 'model.tunedBegin ?? "mezo"', '"mezo"'],
    ["experiment/generate.ts", "= model.tunedBegin)", "= undefined)"],
    ["experiment/generate.ts", "Math.min(...places)", "Math.max(...places)"],
    ["experiment/report.ts", "? answer : gold[i]![0]!", "? answer : gold[i]!.at(-1)!"],
    ["experiment/report.ts", "counts[truth]![answers[i]!]!++", "counts[answers[i]!]![truth]!++"],
    ["experiment/report.ts", "named === 0 ? 0 : right / named", "named === 0 ? 0 : right / support"],
    ["experiment/report.ts", "(2 * right) / (named + support)", "right / (named + support)"],
    ["experiment/report.ts", "Math.ceil(p * BINS) - 1", "Math.floor(p * BINS) - 1"],
    [
      "experiment/report.ts",
      "bin.n * Math.abs(bin.accuracy - bin.confidence)",
      "bin.n * (bin.accuracy - bin.confidence)",
    ],
  ),
  ...mutationsBy(
    "experiment/tuned.test.ts",
    ["experiment/tuned.ts", "kept?.kept.step === step", "!kept"],
    ["experiment/tuned.ts", "replay(model, run, { step, ", "replay(model, run, { "],
    ["experiment/train.ts", 'settings.keepBest && found.on === "test"', "settings.keepBest"],
    ["experiment/keptWeights.ts", "into.set(values[i]!)", "into.set(values[0]!.subarray(0, into.length))"],
  ),
  ...mutationsBy(
    "tasks/classification.test.ts",
    ["tasks/classification.ts", "m - n || (a < b ? -1 : 1)", "n - m || (a < b ? -1 : 1)"],
    ["tasks/classification.ts", "space = kept === text", "space = kept !== text"],
  ),
  ...mutationsBy(
    "report/paired.test.ts",
    ["report/paired.ts", "score - theirs[i]!", "theirs[i]! - score"],
    ["report/paired.ts", "Math.max(byRows, bySeeds)", "byRows"],
    ["report/paired.ts", "Math.max(byRows, bySeeds)", "bySeeds"],
    ["report/paired.ts", "standardErrorOfMean(rows) ** 2", "standardErrorOfMean(rows)"],
    ["report/paired.ts", "rowsOf(run.header) !== rowsOf(other.header)", "false"],
  ),
  ...mutationsBy(
    "report/classReport.test.ts",
    ["report/reliability.ts", "100 * confidence)", "100 * accuracy)"],
    ["report/classes.ts", "[of.precision, of.recall, of.f1]", "[of.recall, of.precision, of.f1]"],
  ),
  ...mutationsBy(
    "experiment/scripted/looks.test.ts",
    ["experiment/train.ts", "isBest(dev, earlier, chooseBy)", "true"],
    ["experiment/train.ts", " || step === steps", ""],
    ["experiment/train.ts", 'scores.findLast(({ on }) => on === "dev")', 'scores.findLast(({ on }) => on === "test")'],
    ["record/steps.ts", "score.loss! < best.loss!", "score.loss! <= best.loss!"],
    ["record/steps.ts", "score.score > best.score", "score.score >= best.score"],
    ["record/steps.ts", "score.step <= step)", "score.step < step)"],
    ["experiment/tuneOptions.ts", "autoregressive: { times: 5", "autoregressive: { times: 4"],
    ["experiment/tuneOptions.ts", 'times: 10, chooseBy: "score"', 'times: 10, chooseBy: "loss"'],
  ),
  ...mutationsBy(
    "experiment/scripted/classifier.test.ts",
    ["loss/encode.ts", "encodeUnmasked(masked), 0, masked", "encodeUnmasked(masked), 1, masked"],
    [
      "loss/encode.ts",
      "classified(model.classes, ids, ids.length - 1, shown)",
      "classified(model.classes, ids, 0, shown)",
    ],
  ),
  ...mutationsBy("tuners/variants.test.ts", [
    "tuners/layers.ts",
    "(weight) => 1 / d!.get(weight)!",
    "(weight) => d!.get(weight)!",
  ]),
  ...mutationsBy(
    "experiment/experiment.test.ts",
    ["loss/encode.ts", "{seed}/", "{epoch}/"],
    ["loss/encode.ts", "(step % perEpoch) * size", "((step + 1) % perEpoch) * size"],
  ),
  ...mutationsBy(
    "tuners/contract.test.ts",
    ["tuners/line.ts", '"bias", "layer_norm", "layernorm"', '"bias", "layernorm"'],
    ["tuners/sgd.ts", "decays(name.toLowerCase()) ? weightDecay : 0", "decays(name) ? weightDecay : 0"],
    ["tuners/adam.ts", "clipNorm = 1 }", "clipNorm = 0 }"],
    ["tuners/estimates.ts", "settle(lr * weightDecay)", "settle(0)"],
  ),
  ...mutationsBy(
    "tasks/split.test.ts",
    ["tasks/split.ts", "draw(test, most, TEST_SEED)", "draw(test, most, 0)"],
    ["tasks/split.ts", "take(2 * k);", "take(k);"],
  ),
  ...mutationsBy(
    "tasks/ownTask.test.ts",
    ["tasks/task.ts", "if (is(value)) return value;", "if (is) return value;"],
    ["tasks/task.ts", "parts.filter((part) => part === MASK).length === 1", "parts.length >= 0"],
  ),
  ...mutationsBy(
    "report/summary.test.ts",
    ["report/summary.ts", "run.scores.findLast(", "run.scores.find("],
    ["report/summary.ts", "(values.length - 1) / values.length", "values.length / values.length"],
    ["report/summary.ts", "predicted.length === runs.length", "predicted.length > 0"],
    ["report/summary.ts", "...(weights && { weights: weightsText(weights) }),", ""],
    ["report/summary.ts", "listFields({ kit, split, ", "listFields({ kit, "],
  ),
  ...mutationsBy(
    "report/runTables.test.ts",
    ["report/table.ts", "2 ** 20", "1e6"],
    ["report/runTables.ts", "paper.scores[summary.method]?.toFixed(1)", "paper.scores.MeZO?.toFixed(1)"],
    ["report/runTables.ts", "[peakBytes, predictedBytes]", "[predictedBytes, peakBytes]"],
  ),
  ...mutationsBy(
    "measure/paper.test.ts",
    ["measure/paper.ts", "row[column]!", "row[0]!"],
    ["measure/paper.ts", "> 200 ? 512 : 16", "> 200 ? 16 : 512"],
  ),
  ...mutationsBy(
    "report/plot.test.ts",
    ["report/plot.ts", "y: [100 * score], mode", "y: [score], mode"],
    ["report/plot.ts", "100 * standardError);", "standardError);"],
    ["report/plot.ts", "100 * testScore(run).score),", "100 * testScore(own[0]!).score),"],
    ["report/plot.ts", "y: [scores[method]],", "y: [scores[method]! / 100],"],
    ["report/plot.ts", "const y = 100 * score;", "const y = score;"],
    ["report/plot.ts", "100 * (score - standardError)", "100 * (score + standardError)"],
  ),
  ...mutationsBy(
    "report/groups.test.ts",
    ["report/summary.ts", "header.data.sha256, header.split, ", "header.data.sha256, "],
    ["report/summary.ts", "header.model, header.weights, ", "header.model, "],
  ),
  ...mutationsBy(
    "tensor/x86/moves.test.ts",
    ["tensor/x86/moves.ts", "firstMove += stretch.moves.length", "firstMove += 1"],
    ["tensor/x86/moves.ts", 'theta.rounding === "stochastic"', "false"],
    ["tensor/x86/moves.ts", "from, to, offset, firstMove", "from, to, 0, firstMove"],
    [
      "tensor/x86/moves.ts",
      "[address(sides.plus), address(sides.minus)]",
      "[address(sides.minus), address(sides.plus)]",
    ],
    ["tensor/x86/moves.ts", "floats[at + 4] = keep", "floats[at + 4] = 1"],
    ["tensor/x86/moves.ts", "to > countValues(theta) ||", ""],
    ["tensor/x86/moves.ts", "to !== from", "true"],
  ),
  ...mutationsBy("tensor/noise/sweep.test.ts", ["tensor/noise/sweep.ts", 'processorLevel() === "none"', "true"]),
  ...mutationsBy(
    "tensor/x86/library.test.ts",
    ["tensor/x86/library.ts", 'if (wanted === "none") return undefined;', ""],
    ["tensor/x86/library.ts", 'process.arch === "x64"', "true"],
    ["tensor/x86/library.ts", "if (wanted && !isHere)", "if (false)"],
    ["tensor/x86/library.ts", "!LEVELS.includes(wanted)", "false"],
    ["tensor/x86/library.ts", "Math.min(count, MOST_THREADS)", "count"],
    ["tensor/x86/library.ts", "if (file.length < 64) return false;", ""],
  ),
  ...mutationsBy(
    "tensor/x86/arguments.test.ts",
    ["tensor/x86/arguments.ts", "Number.isInteger(value)", 'typeof value === "number"'],
    ["tensor/x86/arguments.ts", "2 ** 31 - 1", "2 ** 31"],
    [
      "tensor/x86/arguments.ts",
      '"float *": isView("Float32Array")',
      '"float *": isView("Float32Array", "Float64Array")',
    ],
    ["tensor/x86/arguments.ts", "args.length !== types.length", "args.length < types.length"],
    ["tensor/x86/arguments.ts", "if (wrong >= 0)", "if (wrong > 0)"],
  ),
];
