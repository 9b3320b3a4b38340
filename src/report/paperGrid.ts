import { paperData } from "./paperData.ts";

/** The families of models that the paper has grids for. */
export type PaperFamily = "OPT" | "RoBERTa";

/** What the paper tried for one method; each list holds all values of one setting. */
export interface MethodGrid {
  /** Learning rates. */
  readonly lr: readonly number[];
  /** Sizes of MeZO's perturbation; absent for fine-tuning. */
  readonly eps?: readonly number[];
  /** Examples a step. */
  readonly batchSize: readonly number[];
  /** Absent where the paper prints none. */
  readonly weightDecay?: readonly number[];
  /** Absent where the paper prints none. For OPT's FT those of its epochs over 1,000 examples. */
  readonly steps?: number;
  /** Of the learning rate over the steps. */
  readonly schedule: "constant" | "linear";
}

/** The paper's grid by method, as the tables print them: "FT (LoRA)", "MeZO". */
export type PaperGrid = Readonly<Record<string, MethodGrid>>;

/** A method's grid as the files have it; batch sizes may differ with the examples a class. */
interface StoredGrid extends Omit<MethodGrid, "batchSize"> {
  readonly batchSize?: readonly number[];
  readonly batchSizeByK?: Readonly<Record<"16" | "512", readonly number[]>>;
  readonly epochs?: number;
}

/** The form of data/paper/table7.json, table15.json and table16.json. */
interface GridTable {
  readonly methods: Readonly<Record<string, StoredGrid>>;
  /** Training examples of an epoch. */
  readonly train?: number;
  /** Learning rates that are a task's own. */
  readonly lrByTask?: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}

/**
 * The paper's grid: for OPT Table 16, where SQuAD and DROP have learning rates of their own; for RoBERTa Table 15, with MeZO-Adam's of
 * Table 7 and the batch sizes of FT for `k` examples a class.
 */
export function paperGrid(family: PaperFamily, task?: string, k: 16 | 512 = 16): PaperGrid {
  if (family === "OPT") return gridOf(paperData("table16"), task, k);
  return { ...gridOf(paperData("table15"), task, k), ...gridOf(paperData("table7"), task, k) };
}

/** The paper's learning rates by method, as `measure` takes them for its `grid`; those of `paperGrid`. */
export function paperRates(family: PaperFamily, task?: string): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries(Object.entries(paperGrid(family, task)).map(([method, { lr }]) => [method, lr]));
}

function gridOf({ methods, train, lrByTask = {} }: GridTable, task = "", k: 16 | 512): PaperGrid {
  const own = Object.entries(lrByTask).find(([name]) => name.toLowerCase() === task.toLowerCase())?.[1];
  const grids = Object.entries(methods).map(([method, grid]) => {
    const lr = own?.[method] ?? grid.lr;
    return [method, { ...methodGrid(grid, k, train), lr }] as const;
  });
  return Object.fromEntries(grids);
}

function methodGrid({ batchSize, batchSizeByK, epochs, ...grid }: StoredGrid, k: 16 | 512, train = 0): MethodGrid {
  const sizes = batchSize ?? batchSizeByK![`${k}`];
  return { ...grid, batchSize: sizes, ...(epochs && { steps: (epochs * train) / sizes[0]! }) };
}
