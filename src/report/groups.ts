import type { Run } from "../experiment/run.ts";
import { isMarked } from "./methods.ts";

/** Runs that belong into one table: those of a task and a model, its weights kept alike, and the majority class of the task, once a seed. */
export function groupsOf(runs: readonly Run[]): Run[][] {
  const marked = runs.filter(({ header }) => isMarked(header.method));
  const keyOf = ({ header }: Run): string => JSON.stringify([header.task, header.model, header.weights, header.untied]);
  const floors = runs.filter(({ header }) => !isMarked(header.method));
  const factsOf = ({ header }: Run): string => JSON.stringify([header.task, header.data, header.split]);
  if (marked.length === 0)
    return [...new Set(floors.map(factsOf))].map((facts) => floors.filter((run) => factsOf(run) === facts));
  return [...new Set(marked.map(keyOf))].map((key) => {
    const own = marked.filter((run) => keyOf(run) === key);
    const floor = floors.filter((run) => factsOf(run) === factsOf(own[0]!));
    const seeds = [...new Set(floor.map(({ header }) => header.seed))];
    return [...seeds.map((seed) => floor.find(({ header }) => header.seed === seed)!), ...own];
  });
}
