import seedrandom from "seedrandom";

/** A copy of the items in an order that the seed alone decides (Fisher–Yates on seedrandom's Alea generator). */
export function shuffle<Item>(items: readonly Item[], seed: string): Item[] {
  const random = seedrandom.alea(seed);
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}
