import { join } from "node:path";

/** Where run files are, seen from a notebook. */
export const RUNS = "../data/runs";

/** Where runs are that a notebook makes by calls of its own, apart from those of `npm start`, with which they are not to be averaged. */
export const NOTEBOOK_RUNS = "../data/runs/notebooks";

/** Whether this is a look at everything in seconds, whose results mean nothing and are kept apart. */
export const isSmoke = (): boolean => process.env.MEZO_SCALE === "smoke";

/** Where smoke runs go: a folder for each notebook, since several run at once (their runner names them in MEZO_NOTEBOOK). */
export const smokeFolder = (): string => join(RUNS, "smoke", process.env.MEZO_NOTEBOOK ?? "");
