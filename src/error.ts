/** An error whose message is one sentence for the user: what was asked, what was found, what to do. The CLI prints it alone. */
export class KitError extends Error {
  override readonly name: string = "KitError";
}

/** Throws a KitError that names the options left over after `what` took its own. */
export function checkOptions(what: string, unknown: object, known: readonly string[]): void {
  const names = Object.keys(unknown);
  if (names.length > 0) throw new KitError(`${what} has no option ${names.join(", ")}: it has ${known.join(", ")}.`);
}
