import type { TaskDefinition } from "../task.ts";
import { inference } from "./inference.ts";

/** SNLI (Table 13): inference between descriptions of pictures; rows as in `inference`. */
export const snli: TaskDefinition = inference("SNLI");
