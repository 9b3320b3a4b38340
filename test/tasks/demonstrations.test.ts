import { expect, test } from "vitest";
import { demonstrations } from "../../src/tasks/demonstrations.ts";
import { shuffle } from "../../src/tasks/shuffle.ts";
import type { Example } from "../../src/tasks/task.ts";

const train: Example[] = Array.from({ length: 100 }, (_, index) => ({
  autoregressive: { prompt: `film ${index} It was`, options: [" terrible", " great"] },
  gold: [index % 2],
}));

test("demonstrations are different training examples with their right answers", () => {
  const shown = demonstrations(train, { shots: 32, seed: 0, index: 0 });
  expect(new Set(shown).size).toBe(32);
  for (const text of shown) {
    const [, number, answer] = /^film (\d+) It was (terrible|great)$/.exec(text)!;
    expect(answer).toBe(Number(number) % 2 === 1 ? "great" : "terrible");
  }
});

test("every example draws its own demonstrations, the same for the same seed", () => {
  const draw = (seed: number, index: number): string[] => demonstrations(train, { shots: 4, seed, index });
  expect(draw(0, 1)).toEqual(draw(0, 1));
  expect(draw(0, 2)).not.toEqual(draw(0, 1));
  expect(draw(1, 1)).not.toEqual(draw(0, 1));
});

test("without an index all examples get the same demonstrations", () => {
  const draw = (seed: number): string[] => demonstrations(train, { shots: 4, seed });
  expect(draw(0)).toEqual(draw(0));
  expect(draw(1)).not.toEqual(draw(0));
});

test("of several right answers the first is shown, and an example for masked models cannot be", () => {
  const autoregressive = { prompt: "Answer:", options: [" one\n", " two\n"] };
  expect(demonstrations([{ autoregressive, gold: [1, 0] }], { shots: 1, seed: 0 })).toEqual(["Answer: two"]);
  expect(() => demonstrations([{ gold: [0] }], { shots: 1, seed: 0 })).toThrow(/for masked models; choose a task/);
});

test("over many draws every training example is shown about equally often", () => {
  const counts = new Map<string, number>();
  for (let index = 0; index < 1000; index++) {
    for (const text of demonstrations(train, { shots: 10, seed: 3, index }))
      counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  expect(counts.size).toBe(100);
  // 100 expected, binomial standard deviation 9.5: five of them either way.
  expect(Math.min(...counts.values())).toBeGreaterThan(52);
  expect(Math.max(...counts.values())).toBeLessThan(148);
});

test("where there are fewer training examples than shots, all are shown", () => {
  expect(demonstrations(train.slice(0, 3), { shots: 32, seed: 0, index: 0 })).toHaveLength(3);
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
