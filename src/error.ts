/**
 * An error whose message is one sentence for the user: what was asked, what was found, what to do. The CLI prints it alone. What was
 * found may come from anyone's file, so whatever the message is made of, it is one line without control characters, of 600 characters at
 * most: a longer one loses its middle.
 */
export class KitError extends Error {
  override readonly name: string = "KitError";

  constructor(message: string) {
    super(withoutMiddle(message.replace(/[\r\n\u2028\u2029]+[ \t]*/g, " ").replace(/\p{Cc}/gu, "\ufffd")));
  }
}

const LONGEST = 600;
/** Room for what to do about it, which stands at the end. */
const END = 200;

function withoutMiddle(line: string): string {
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST - END - 3)} … ${line.slice(-END)}`;
}

/** A number that came out is not finite: of what, and what may help. */
export class NotFinite extends KitError {}

/** Throws a KitError that names the options left over after `what` took its own. */
export function checkOptions(what: string, unknown: object, known: readonly string[]): void {
  const names = Object.keys(unknown);
  if (names.length > 0) throw new KitError(`${what} has no option ${names.join(", ")}: it has ${known.join(", ")}.`);
}

/** A text as an error shows it: its beginning where it is long. */
export function cut(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

/** A value of JSON as an error shows it, however long or deep it is. */
export function shown(value: unknown): string {
  try {
    return cut(JSON.stringify(value) ?? "nothing");
  } catch {
    return "a value that is nested too deeply";
  }
}

/** The first names of a list, and how many more there are: "a, b, c, d, e and 7,996 more". */
export function listed(names: readonly string[], most: number = 5): string {
  const rest = names.length - most;
  return names.slice(0, most).map(cut).join(", ") + (rest > 0 ? ` and ${rest.toLocaleString("en")} more` : "");
}
