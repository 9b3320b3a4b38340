/** Learning rate as a share of its start: constant, as the paper uses for MeZO, or falling linearly to 0 (Section 2.1; Table 7). */
export type Schedule = "constant" | "linear";

/** The names of the schedules. */
export const schedules: readonly Schedule[] = ["constant", "linear"];

/** The share at step `step` (from 0) of `total`. */
export function scheduled(schedule: Schedule, step: number, total: number): number {
  return schedule === "linear" ? 1 - step / total : 1;
}
