import { type GraphRun, profileGraphs } from "../../src/tensor/native/session.ts";

/** Seconds in products and in attention, wherever these are computed; a product of the kit's own makes the noise of its weight too. */
export interface PartSeconds {
  readonly products: number;
  readonly attention: number;
}

/** What belongs to a part, by the first letters of the names of operations. */
const PARTS: Readonly<Record<keyof PartSeconds, RegExp>> = {
  products: /^(linear|feedForward|vocabularyTile|matMul|product)/,
  attention: /^attention/,
};

/** Does some work, and says how long its parts took. */
export async function timeParts(work: () => Promise<void>): Promise<PartSeconds> {
  const seconds = { products: 0, attention: 0 };
  const add = ({ name, seconds: taken }: GraphRun): void => {
    const part = (["products", "attention"] as const).find((one) => PARTS[one].test(name));
    if (part) seconds[part] += taken;
  };
  await profileGraphs(add, work);
  return seconds;
}
