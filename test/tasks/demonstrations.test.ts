import { expect, test } from "vitest";
import { shuffle } from "../../src/loss/encode.ts";
import { drawDemonstrationSeeds, drawDemonstrations } from "../../src/tasks/split.ts";
import type { Example } from "../../src/tasks/task.ts";

const train: Example[] = Array.from({ length: 100 }, (_, index) => ({
  autoregressive: { prompt: `film ${index} It was`, options: [" terrible", " great"] },
  gold: [index % 2],
}));

test("demonstrations are different training examples with their right answers", () => {
  const shown = drawDemonstrations(train, { shots: 32, seed: 0 });
  expect(new Set(shown).size).toBe(32);
  for (const text of shown) {
    const [, number, answer] = /^film (\d+) It was (terrible|great)$/.exec(text)!;
    expect(answer).toBe(Number(number) % 2 === 1 ? "great" : "terrible");
  }
});

// NumPy 2: np.random.seed(0); seeds = np.random.randint(0, 10000, 3); then for each np.random.seed(s); np.random.permutation(50)[:4].
test.each([
  [0, [9, 49, 4, 15]],
  [1, [47, 15, 39, 20]],
  [2, [35, 23, 48, 39]],
])("evaluated row %i is shown the rows that NumPy draws for it", (row, rows) => {
  const seed = drawDemonstrationSeeds(3, 0)[row]!;
  const shown = drawDemonstrations(train.slice(0, 50), { shots: 4, seed });
  expect(shown.map((text) => Number(/\d+/.exec(text)![0]))).toEqual(rows);
});

test("the first of several right answers is shown; an example for masked models is refused", () => {
  const autoregressive = { prompt: "Answer:", options: [" one\n", " two\n"] };
  expect(drawDemonstrations([{ autoregressive, gold: [1, 0] }], { shots: 1, seed: 0 })).toEqual(["Answer: two"]);
  expect(() => drawDemonstrations([{ gold: [0] }], { shots: 1, seed: 0 })).toThrow(
    /for masked models only; choose a task/,
  );
});

test("where there are fewer training examples than shots, all are shown", () => {
  expect(drawDemonstrations(train.slice(0, 3), { shots: 32, seed: 0 })).toHaveLength(3);
});

test("a shuffle keeps every item once, leaves its input alone and reaches every order", () => {
  const items = [1, 2, 3];
  const orders = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const order = shuffle(items, String(seed)).join("");
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  expect([...orders.keys()].sort()).toEqual(["123", "132", "213", "231", "312", "321"]);
  // 1,000 expected, standard deviation 29.
  expect([...orders.values()].every((count) => Math.abs(count - 1000) < 150)).toBe(true);
  expect(items).toEqual([1, 2, 3]);
});
