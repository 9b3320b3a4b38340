/** Tuners whose step is the difference of two losses over 2 eps: its one estimate is all that need be known of it. */
export const BY_ESTIMATE: readonly string[] = [
  "MeZO",
  "MeZO-momentum",
  "MeZO-Adam",
  "MeZO-lean-momentum",
  "MeZO-lean-Adam",
  "MeZO-sign",
];
