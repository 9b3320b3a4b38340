import type { TaskDefinition } from "../task.ts";
import { inference } from "./inference.ts";

/** MNLI (Table 13): inference between sentences of many kinds; rows as in `inference`. In a folder the matched part is the test set. */
export const mnli: TaskDefinition = inference("MNLI", 240);
